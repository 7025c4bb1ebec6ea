// Parts of a whole, and flows.
import { install as sankey } from "echarts/lib/chart/sankey/install.js";
import { install as sunburst } from "echarts/lib/chart/sunburst/install.js";
import { install as treemap } from "echarts/lib/chart/treemap/install.js";

export const extensions = [sankey, sunburst, treemap];
