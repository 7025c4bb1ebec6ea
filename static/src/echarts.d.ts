// The single files of ECharts have no types of their own; what they export goes
// to use() of echarts/core.
declare module "echarts/lib/*" {
  type Extension = Extract<Parameters<typeof import("echarts/core").use>[0], (...given: never[]) => unknown>;
  export const install: Extension;
  export {};
}
