import type { GrpcServer } from "@multipooler/grpc-services";
import type { Administration, PoolerEvent } from "@multipooler/poolerserver";
import type { Meter } from "@opentelemetry/api";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { buildVersion } from "../version.ts";
import { activityFigures } from "./activity-figures.ts";
import { callHistogram } from "./call-histogram.ts";
import { CountedHistograms } from "./counted-histograms.ts";
import { eventCounter } from "./event-metrics.ts";
import { reportFigures } from "./figure.ts";
import { poolFigures } from "./pool-figures.ts";
import { queryHistograms } from "./query-histograms.ts";
import { ScrapeReader } from "./scrape-reader.ts";
import { countTransitions, roleOf, servingFigures } from "./serving-metrics.ts";
import type { ReportedManager } from "./serving-metrics.ts";

/** The parts of the program that the metrics are read from. */
export interface ReportedParts {
  readonly manager: ReportedManager;
  readonly administration: Administration;
  readonly grpc: Pick<GrpcServer, "callTimes">;
}

/**
 * The metrics of the process, by the names of Multigres' pooler. They are collected when somebody asks;
 * in between only what seldom happens is counted.
 */
export class PoolerMetrics implements AsyncDisposable {
  readonly #histograms = new CountedHistograms();
  readonly #reader = new ScrapeReader([this.#histograms]);
  readonly #provider: MeterProvider;
  readonly #meter: Meter;
  readonly #count: (event: PoolerEvent) => void;
  #role = (): string => "unknown";
  #stopWatching: (() => void) | undefined;

  /** What is read by Prometheus is sent as well, where there is a reader that does so. */
  constructor({ metricReader, resource }: Pick<Telemetry, "metricReader" | "resource">) {
    this.#provider = new MeterProvider({
      readers: [
        this.#reader,
        ...(metricReader === undefined ? [] : [metricReader([this.#histograms])]),
      ],
      ...(resource === undefined ? {} : { resource }),
    });
    this.#meter = this.#provider.getMeter("multipooler", buildVersion.version);
    this.#count = eventCounter(this.#meter, () => this.#role());
  }

  /** Counts an event of the controller. */
  onEvent(event: PoolerEvent): void {
    this.#count(event);
  }

  /** Reports what a manager, its controller and the server of calls have from now on. To be called once. */
  report({ manager, administration, grpc }: ReportedParts): void {
    const role = (): string => roleOf(manager.status());
    this.#role = role;
    reportFigures(this.#meter, [
      ...servingFigures(manager),
      ...poolFigures(administration, role),
      ...activityFigures(administration, role),
    ]);
    this.#histograms.report([...queryHistograms(administration), callHistogram(grpc)]);
    this.#stopWatching = countTransitions(this.#meter, manager);
  }

  /** The text that Prometheus reads. Rejects when something cannot be collected. */
  async scrape(): Promise<string> {
    return await this.#reader.scrape();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopWatching?.();
    await this.#provider.shutdown();
  }
}
