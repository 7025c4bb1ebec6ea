// Parts of a whole, and flows.
import { install as sankey } from "echarts/lib/chart/sankey/install.js";
import { install as sunburst } from "echarts/lib/chart/sunburst/install.js";
import { install as treemap } from "echarts/lib/chart/treemap/install.js";
import { format, type use } from "echarts/core";
import { type Measure, onSlice, onTile } from "./tiles.ts";

type Registers = Parameters<Extract<Parameters<typeof use>[0], (...given: never[]) => unknown>>[0];

/** What is used of a node of ECharts. */
interface TreeNode<Layout> {
  name: string;
  dataIndex: number;
  getLayout: () => Partial<Layout> | undefined;
  getModel: () => { getModel: (path: string) => { getFont: () => string } };
}

interface Series<Layout> {
  getData: () => {
    getRawDataItem: (index: number) => Record<string, unknown>;
    tree: { root: { eachNode: (visit: (node: TreeNode<Layout>) => void) => void } };
  };
}

/** Lets each node of a series write on the area that it has got. */
function each<Layout>(series: unknown, write: (name: string, item: Record<string, unknown>, layout: Partial<Layout>, measure: Measure) => void): void {
  const data = (series as Series<Layout>).getData();
  data.tree.root.eachNode((node) => {
    const [item, layout] = [data.getRawDataItem(node.dataIndex), node.getLayout()];
    if (!item || !layout) return;
    const font = node.getModel().getModel("label").getFont();
    write(node.name, item, layout, (text) => format.getTextRect(text, font).width);
  });
}

const padding = { across: 10, down: 6 }; // of the option's labels, both sides

/** Writes on areas once they have their size. */
function faces(registers: Registers): void {
  const after = registers.PRIORITY.VISUAL.LAYOUT + 1;
  registers.registerLayout(after, {
    seriesType: "treemap",
    reset: (series) => {
      each<{ width: number; height: number }>(series, (name, item, { width = 0, height = 0 }, measure) => {
        item["face"] = onTile(name, (item["values"] ?? []) as string[], width - padding.across, height - padding.down, 15, measure);
      });
    },
  });
  registers.registerLayout(after, {
    seriesType: "sunburst",
    reset: (series) => {
      each<{ r0: number; r: number; startAngle: number; endAngle: number }>(series, (name, item, { r0 = 0, r = 0, startAngle = 0, endAngle = 0 }, measure) => {
        const { text, rotate } = onSlice(name, { r0, r, angle: Math.abs(endAngle - startAngle) }, 13, measure);
        item["face"] = text;
        item["label"] = { show: text !== "", rotate };
      });
    },
  });
}

export const extensions = [sankey, sunburst, treemap, faces];
