import { install as radar } from "echarts/lib/chart/radar/install.js";
import { format, type use } from "echarts/core";
import { spokes } from "./spokes.ts";

type Registers = Parameters<Extract<Parameters<typeof use>[0], (...given: never[]) => unknown>>[0];

/** What is used of ECharts' radar. */
interface Radar {
  option: { radius: unknown; axisNameGap: number };
  getIndicatorModels: () => { option: { name: string; nameTruncate?: { maxWidth: number; ellipsis: string } } }[];
  getModel: (path: string) => { getFont: () => string };
  coordinateSystem: { resize: (radar: Radar, api: unknown) => void };
}

const slack = 4; // ECharts cuts names that are all but as wide as their room

/** Makes radars as large as the names around them allow. */
function roomForNames(registers: Registers): void {
  registers.registerProcessor({
    overallReset: (all, api) => {
      all.eachComponent("radar", (component) => {
        const radar = component as unknown as Radar;
        const font = radar.getModel("axisName").getFont();
        const axes = radar.getIndicatorModels();
        const names = axes.map(({ option }) => format.getTextRect(option.name, font).width + slack);
        const { radius, widths } = spokes(names, { width: api.getWidth(), height: api.getHeight() }, radar.option.axisNameGap);
        radar.option.radius = radius;
        axes.forEach(({ option }, i) => (option.nameTruncate = { maxWidth: widths[i] ?? 0, ellipsis: "…" }));
        radar.coordinateSystem.resize(radar, api);
      });
    },
  });
}

export const extensions = [radar, roomForNames];
