import type { ControllerService } from "@multipooler/controller-api";
import type { CallOptions } from "@multipooler/query-service";

/** The services that the manager itself offers to transports. */
export const ManagerService = {
  Manager: "manager",
  Consensus: "consensus",
} as const;
export type ManagerService = (typeof ManagerService)[keyof typeof ManagerService];

/** Every service that a transport may be asked to bind: the controller's and the manager's own. */
export type PoolerService = ControllerService | ManagerService;

/**
 * A way in for clients, e.g. a gRPC server. The manager drives it; between `listen` and `close` it
 * asks the manager for controller and status at each call and keeps neither.
 */
export interface ServiceTransport {
  /** Announces a service, always before `listen`. Announcing one again does nothing. */
  offer(service: PoolerService): void;

  /**
   * Starts to accept clients. Resolves when it does; rejects, leaving nothing behind, when it
   * cannot, e.g. because the port is in use.
   */
  listen(options?: CallOptions): Promise<void>;

  /**
   * Asks the clients that are connected to leave between two calls or transactions, so that they
   * connect again where somebody serves them. None is cut, and new ones are still accepted. Resolves
   * when those that were connected have left or the signal aborts. `close` follows.
   */
  moveClients(options?: CallOptions): Promise<void>;

  /**
   * Stops accepting, lets running calls end until the signal aborts, then cuts them. Resolves when
   * no socket is left. Idempotent, safe in every state; `listen` works again afterwards.
   */
  close(options?: CallOptions): Promise<void>;
}
