// Colours between the steps of a scale.

type Rgb = [number, number, number];

/** Reads steps written as #RRGGBB. */
export function ramp(steps: string[]): Rgb[] {
  return steps.map((step) => {
    const n = Number.parseInt(step.slice(1), 16);
    return [(n >> 16) & 255, (n >> 8) & 255, n & 255];
  });
}

/** The colour at a share of 0 to 1 of a scale. */
export function mix(scale: Rgb[], share: number): string {
  const at = Math.min(Math.max(Number.isFinite(share) ? share : 0, 0), 1) * (scale.length - 1);
  const low = scale[Math.floor(at)] ?? [0, 0, 0];
  const high = scale[Math.ceil(at)] ?? low;
  const part = at - Math.floor(at);
  const channel = (i: 0 | 1 | 2): number => Math.round(low[i] + (high[i] - low[i]) * part);
  return `rgb(${channel(0)},${channel(1)},${channel(2)})`;
}
