// Steps keep their corners: on whole pixels, since ECharts leaves out what is less
// than one, and however near to each other.
import type { use } from "echarts/core";

type Registers = Parameters<Extract<Parameters<typeof use>[0], (...given: never[]) => unknown>>[0];

function steps(registers: Registers): void {
  registers.registerLayout(registers.PRIORITY.VISUAL.LAYOUT + 1, {
    seriesType: "line",
    reset: (series) => {
      if (!series.get("step" as never)) return;
      const points = series.getData().getLayout("points") as Float32Array;
      points.forEach((each, i) => (points[i] = Math.round(each)));
    },
  });
  registers.registerPostUpdate((all, api) => {
    all.eachSeriesByType("line", (series) => {
      if (!series.get("step" as never)) return;
      api.getViewOfSeriesModel(series).group.traverse((each) => {
        if ("segmentIgnoreThreshold" in each) each.segmentIgnoreThreshold = 0;
      });
    });
  });
}

export const extensions = [steps];
