import type { PoolerActivity } from "@multipooler/grpc-services";
import type { ManagerStatus } from "@multipooler/manager";
import type { Administration } from "@multipooler/poolerserver";
import type { Clock } from "@multipooler/timing";
import type { TopoStore } from "@multipooler/topo";
import type { Logger } from "pino";
import { ShardPeers } from "../status/shard-peers.ts";
import { StatusFeed } from "../status/status-feed.ts";
import { statusReport } from "../status/status-report.ts";
import { statusRoutes } from "../status/status-routes.ts";
import { WorkSampler } from "../status/work-sampler.ts";
import { HttpServer } from "./http-server.ts";
import type { HttpTls } from "./http-tls.ts";
import { primaryAnswer, probeRoutes } from "./probe-routes.ts";
import type { ProbeSources } from "./probe-routes.ts";

/** Browsers that follow the status page. */
const MAX_SUBSCRIBERS = 16;

/** What is watched. */
interface WatchedManager {
  status(): ManagerStatus;
  watchStatus(listener: (status: ManagerStatus) => void): () => void;
}

export interface PoolerHttpOptions extends Omit<ProbeSources, "status"> {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  /** Connections of all kinds. */
  readonly maxConnections: number;
  /** `undefined`: connections are not encrypted. */
  readonly tls: HttpTls | undefined;
  /** Called from `listen` on. */
  readonly manager: () => WatchedManager;
  readonly administration: Pick<Administration, "databases" | "pools">;
  /** Who uses the pooler, and what for. */
  readonly activity: () => PoolerActivity;
  readonly topology: TopoStore;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The HTTP side of a pooler: probes, load balancers, metrics, and the status page. */
export class PoolerHttp {
  readonly #feed: StatusFeed;
  readonly #peers: ShardPeers;
  readonly #server: HttpServer;

  constructor(options: PoolerHttpOptions) {
    const { host, port, maxConnections, manager, administration, topology, clock } = options;
    const status = (): ManagerStatus => manager().status();
    const probes = { ...options, status };
    const maxSubscribers = Math.min(MAX_SUBSCRIBERS, Math.floor(maxConnections / 2));
    const sampler = new WorkSampler({ administration, status, clock });
    const peers: ShardPeers = new ShardPeers({
      topology,
      self: status,
      isWatched: () => this.#feed.isWatched,
      clock,
    });
    this.#peers = peers;
    const sources = { ...options, status, peers };
    this.#feed = new StatusFeed({
      sample: () => sampler.take(),
      report: (sample) => statusReport(sources, sample),
      watchStatus: (listener) => manager().watchStatus(listener),
      onSubscribed: () => peers.wake(),
      maxSubscribers,
      clock,
    });
    const page = statusRoutes({
      feed: this.#feed,
      options: (request) => primaryAnswer(probes, request),
    });
    this.#server = new HttpServer({
      host,
      port,
      maxConnections: maxConnections - maxSubscribers,
      routes: new Map([...probeRoutes(probes), ...page]),
      tls: options.tls,
      logger: options.logger,
    });
  }

  /** The port it listens on; the configured one before that. */
  get port(): number {
    return this.#server.port;
  }

  /** Rejects with Node's error (`EADDRINUSE`, `EACCES`, …) when it cannot listen. */
  async listen(): Promise<void> {
    await this.#server.listen();
    this.#peers.open();
    this.#feed.open();
  }

  /** Ends all connections, those of browsers that follow the status included. Idempotent. */
  async close(): Promise<void> {
    await this.#feed.close();
    await this.#peers.close();
    await this.#server.close();
  }
}
