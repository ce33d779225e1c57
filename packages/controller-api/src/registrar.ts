/**
 * The services that a controller can offer to transports.
 *
 * | service | transports may use                                                   |
 * | ------- | -------------------------------------------------------------------- |
 * | query   | the calls of the `QueryService`                                      |
 * | session | `openSession`                                                        |
 * | health  | `isHealthy`, and the health that the manager derives from it         |
 */
export const ControllerService = {
  Query: "query",
  Session: "session",
  Health: "health",
} as const;
export type ControllerService = (typeof ControllerService)[keyof typeof ControllerService];

/** Collects the services to be offered. Implemented by the manager for its transports. */
export interface ServiceRegistrar {
  /** Announces one service. Announcing it again does nothing. */
  offer(service: ControllerService): void;
}
