/**
 * The services that a controller can offer to transports. `query` is {@link QueryService}.
 * A transport knows how to bind each of them to its wire.
 */
export const ControllerService = {
  Query: "query",
} as const;
export type ControllerService = (typeof ControllerService)[keyof typeof ControllerService];

/** Collects the services to be offered. Implemented by the manager for its transports. */
export interface ServiceRegistrar {
  /** Announces one service. Announcing it again does nothing. */
  offer(service: ControllerService): void;
}
