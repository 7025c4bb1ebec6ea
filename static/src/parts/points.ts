// Points, boxes and candles.
import { format as texts } from "echarts/core";
import { install as boxplot } from "echarts/lib/chart/boxplot/install.js";
import { install as candlestick } from "echarts/lib/chart/candlestick/install.js";
import { install as scatter } from "echarts/lib/chart/scatter/install.js";
import { type Named, places } from "./pointnames.ts";

type Install = Extract<Parameters<typeof import("echarts/core").use>[0], (...given: never[]) => unknown>;
type Registers = Parameters<Install>[0];

/** What ECharts tells of a series of points, as far as it is used. */
interface Points {
  getData(): { count(): number; getItemLayout(at: number): number[] | undefined; getRawDataItem(at: number): unknown };
  getFormattedLabel(at: number): string | undefined;
  getModel(path: string): { getFont(): string; get(path: string): unknown };
  get(path: string): unknown;
  coordinateSystem?: { getArea(): { x: number; y: number; width: number; height: number } };
}

/** A point of the data, with the label of its own that is written here. */
interface Item {
  symbolSize?: number;
  label?: { show: boolean; position?: string };
}

/** Once points have their places, finds room for the names of those with "fit". */
function names(registers: Registers): void {
  registers.registerLayout(registers.PRIORITY.VISUAL.PROGRESSIVE_LAYOUT, {
    overallReset: (all) => {
      const points: Named[] = [];
      const items: Item[] = [];
      let distance = 0;
      let area;
      all.eachSeriesByType("scatter", (model) => {
        const series = model as unknown as Points;
        const label = series.getModel("label");
        if (!label.get("fit")) return;
        area = series.coordinateSystem?.getArea();
        distance = Number(label.get("distance"));
        const data = series.getData();
        for (let at = 0; at < data.count(); at++) {
          const item = data.getRawDataItem(at) as Item;
          const [x = NaN, y = NaN] = data.getItemLayout(at) ?? [];
          const { width } = texts.getTextRect(series.getFormattedLabel(at) ?? "", label.getFont());
          // The library takes the width of a Chinese character for the height, which
          // is too little where no font has one.
          points.push({ x, y, radius: Number(item.symbolSize ?? series.get("symbolSize")) / 2, width, height: 1.2 * Number(label.get("fontSize")) });
          items.push(item);
        }
      });
      if (!area) return;
      const { x, y, width, height } = area as { x: number; y: number; width: number; height: number };
      places(points, { left: x, top: y, right: x + width, bottom: y + height }, distance).forEach((position, i) => {
        items[i]!.label = position ? { show: true, position } : { show: false };
      });
    },
  });
}

export const extensions = [boxplot, candlestick, scatter, names];
