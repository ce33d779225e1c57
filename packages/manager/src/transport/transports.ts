import type { CallOptions } from "@multipooler/query-service";
import { untilAborted } from "@multipooler/timing";
import { messageOf } from "../error-message.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import type { PoolerService, ServiceTransport } from "./service-transport.ts";

/**
 * Announces the services to each transport and has it listen, in order. Rejects with LISTEN_FAILED
 * at the first that cannot; the caller closes them all then.
 */
export async function listenAll(
  transports: readonly ServiceTransport[],
  services: Iterable<PoolerService>,
  { signal }: CallOptions = {},
): Promise<void> {
  const offered = [...services];
  for (const transport of transports) {
    for (const service of offered) {
      transport.offer(service);
    }
    signal?.throwIfAborted();
    try {
      const listening = transport.listen({ signal });
      await untilAborted(listening, signal);
    } catch (error) {
      signal?.throwIfAborted();
      throw new ManagerError(ManagerErrorCode.ListenFailed, messageOf(error), { cause: error });
    }
  }
}

/** Asks the clients of all transports to leave, and waits for them until the signal aborts. */
export async function moveAllClients(
  transports: readonly ServiceTransport[],
  options: CallOptions,
): Promise<void> {
  await Promise.all(transports.map((transport) => transport.moveClients(options)));
}

/** Closes the transports, last opened first, each whether or not another fails. */
export async function closeAll(
  transports: readonly ServiceTransport[],
  { signal }: CallOptions = {},
): Promise<void> {
  const errors: unknown[] = [];
  for (const transport of transports.toReversed()) {
    try {
      await transport.close({ signal });
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length === 1) {
    throw errors[0];
  }
  if (errors.length > 1) {
    throw new AggregateError(errors, "several transports cannot be closed");
  }
}
