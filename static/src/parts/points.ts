// Points, boxes and candles.
import { install as boxplot } from "echarts/lib/chart/boxplot/install.js";
import { install as candlestick } from "echarts/lib/chart/candlestick/install.js";
import { install as scatter } from "echarts/lib/chart/scatter/install.js";


export const extensions = [boxplot, candlestick, scatter];
