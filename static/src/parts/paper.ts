// Charts on paper: SVG instead of a canvas.
import { install as svg } from "echarts/lib/renderer/installSVGRenderer.js";

export const extensions = [svg];
