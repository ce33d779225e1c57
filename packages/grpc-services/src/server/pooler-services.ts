import type { PoolerService } from "@multipooler/manager";
import { bindConsensusService } from "../consensus/consensus-service-binding.ts";
import { bindHealthService } from "../health/health-service-binding.ts";
import { bindManagerService } from "../manager/manager-service-binding.ts";
import type { ManagerServiceOptions } from "../manager/manager-service-binding.ts";
import type { PoolerManager } from "./pooler-manager.ts";
import { bindQueryService } from "../query/query-service-binding.ts";
import type { QueryServiceOptions } from "../query/query-service-binding.ts";
import type { BoundService } from "./service-binding.ts";
import { ServiceHealth } from "../health/service-health.ts";

/** What all services together need. */
export interface PoolerServicesOptions extends QueryServiceOptions, ManagerServiceOptions {
  readonly manager: PoolerManager;
  /** Which services are offered. */
  readonly offered: ReadonlySet<PoolerService>;
}

/** How each service that can be offered becomes one of gRPC. */
const SERVICES: Readonly<
  Record<
    PoolerService,
    {
      /** `undefined` for what other transports carry, and for health, which tells about the others. */
      readonly bind: ((options: PoolerServicesOptions) => BoundService) | undefined;
      /** Management does without: it is there to tell why a pooler is not ready. */
      readonly needsReadyPooler: boolean;
      /** It changes what the pooler is: not every client may call it. */
      readonly isGuarded: boolean;
    }
  >
> = {
  query: { bind: bindQueryService, needsReadyPooler: true, isGuarded: false },
  session: { bind: undefined, needsReadyPooler: true, isGuarded: false },
  health: { bind: undefined, needsReadyPooler: false, isGuarded: false },
  manager: { bind: bindManagerService, needsReadyPooler: false, isGuarded: true },
  consensus: { bind: bindConsensusService, needsReadyPooler: false, isGuarded: true },
};

/** The services that are offered, and the health service that tells about them, if it is one of them. */
export function poolerServices(options: PoolerServicesOptions): {
  readonly offered: readonly BoundService[];
  readonly health: BoundService | undefined;
} {
  const { manager, closing } = options;
  const bound = [...options.offered].flatMap((name) => {
    const { bind, needsReadyPooler, isGuarded } = SERVICES[name];
    return bind === undefined
      ? []
      : [{ service: { ...bind(options), isGuarded }, needsReadyPooler }];
  });
  const offered = bound.map(({ service }) => service);
  if (!options.offered.has("health")) {
    return { offered, health: undefined };
  }
  const needsReadyPooler = new Map(
    bound.map(({ service, needsReadyPooler: needs }) => [service.name, needs]),
  );
  return {
    offered,
    health: bindHealthService(new ServiceHealth({ manager, needsReadyPooler, closing })),
  };
}
