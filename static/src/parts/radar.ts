import { install as radar } from "echarts/lib/chart/radar/install.js";

export const extensions = [radar];
