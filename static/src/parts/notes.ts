// Reference lines.
import { install as markLine } from "echarts/lib/component/marker/installMarkLine.js";

export const extensions = [markLine];
