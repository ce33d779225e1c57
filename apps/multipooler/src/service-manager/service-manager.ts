import type { MultiPoolerManager } from "@multipooler/manager";
import { systemClock } from "@multipooler/timing";
import type { Logger } from "pino";
import { notifyRequest, notifyServiceManager } from "./notification.ts";
import { ServiceStatus } from "./service-status.ts";

/** What is told to a service manager. */
type ServiceNotice = Pick<ServiceStatus, "ready" | "stopping" | typeof Symbol.asyncDispose>;

const NOBODY_ASKS: ServiceNotice = {
  ready: () => undefined,
  stopping: () => undefined,
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

/**
 * Keeps the service manager that started this process informed, if it asks for that.
 *
 * @throws RangeError for a variable that cannot be understood
 */
export function serviceStatus(
  manager: Pick<MultiPoolerManager, "watchStatus">,
  logger: Logger,
): ServiceNotice {
  const request = notifyRequest(process.env, process.pid);
  return request === undefined
    ? NOBODY_ASKS
    : new ServiceStatus({
        ...request,
        notify: notifyServiceManager,
        watchStatus: (listener) => manager.watchStatus(listener),
        clock: systemClock,
        complain: (err) => logger.warn({ err }, "the service manager could not be told"),
      });
}
