import type { Attributes, Meter } from "@opentelemetry/api";

/** One value of a metric, and what it is of. */
export interface Point {
  readonly value: number;
  readonly attributes: Attributes;
}

/** A metric that is read when somebody asks for it. */
export interface Figure {
  /** As Multigres' pooler has it, where it has it. */
  readonly name: string;
  readonly description: string;
  /** A counter only grows. */
  readonly kind: "gauge" | "counter";
  /** Seconds or bytes; without one it counts something. */
  readonly unit?: "s" | "By";
  readonly read: () => readonly Point[];
}

/** Has figures read whenever the metrics are collected. */
export function reportFigures(meter: Meter, figures: readonly Figure[]): void {
  for (const { name, description, kind, unit = "", read } of figures) {
    const instrument =
      kind === "gauge"
        ? meter.createObservableGauge(name, { description, unit })
        : meter.createObservableCounter(name, { description, unit });
    instrument.addCallback((result) => {
      for (const { value, attributes } of read()) {
        result.observe(value, attributes);
      }
    });
  }
}
