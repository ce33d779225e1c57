import type { CallObserver } from "@multipooler/grpc-services";
import type { StatementObserver } from "@multipooler/poolerserver";
import type { Resource } from "@opentelemetry/resources";
import type { MetricProducer, MetricReader } from "@opentelemetry/sdk-metrics";
import type { Logger } from "pino";
import type { Config } from "../settings/settings.ts";

/** What is sent to a collector. */
export interface Telemetry extends AsyncDisposable {
  /** What all that is sent is said to come from. */
  readonly resource: Resource | undefined;
  /** Makes what sends the metrics, those of the producers too; `undefined`: none are sent. */
  readonly metricReader: ((producers: MetricProducer[]) => MetricReader) | undefined;
  /** Traces calls; `undefined`: none are traced. */
  readonly observeCall: CallObserver | undefined;
  /** Traces statements of sessions; `undefined`: none are traced. */
  readonly observeStatement: StatementObserver | undefined;
}

const NOTHING: Telemetry = {
  resource: undefined,
  metricReader: undefined,
  observeCall: undefined,
  observeStatement: undefined,
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

export type TelemetryConfig = Pick<
  Config,
  | "otlpEndpoint"
  | "otlpHeaders"
  | "otlpMetricsIntervalMs"
  | "otlpTraces"
  | "otlpTracesRatio"
  | "cell"
  | "serviceId"
>;

/** The telemetry of the configuration. Where nothing is sent, no code for it is loaded. */
export async function openTelemetry(config: TelemetryConfig, logger: Logger): Promise<Telemetry> {
  const { otlpEndpoint: endpoint, otlpMetricsIntervalMs, otlpTraces } = config;
  if (endpoint === undefined || (otlpMetricsIntervalMs === 0 && otlpTraces === "off")) {
    return NOTHING;
  }
  const { otlpTelemetry } = await import("./otlp-telemetry.ts");
  return otlpTelemetry({ ...config, otlpEndpoint: endpoint }, logger);
}
