import type { ClientOptions } from "./client-options.ts";
import { ConfigError } from "../settings/config.ts";
import { callPooler } from "./pooler-call.ts";
import type { CtlOutput } from "./pooler-call.ts";

export interface KillOptions extends ClientOptions {
  /** The id is that of a reservation, and not of a client. */
  readonly reservation: boolean;
}

const MAX_CLIENT_ID = 0xff_ff_ff_ff;

/**
 * `ctl kill`: ends a client or a reservation. Resolves with the exit code.
 *
 * @throws ConfigError for what is no id
 */
export function kill(id: string, options: KillOptions, io: CtlOutput): Promise<number> {
  const { reservation: isReservation } = options;
  if (!/^\d{1,19}$/.test(id) || (!isReservation && Number(id) > MAX_CLIENT_ID)) {
    throw new ConfigError([`${JSON.stringify(id)} is no id: "ctl clients" shows those of clients`]);
  }
  return callPooler(options, io, async ({ client, request, output }) => {
    await client.kill(
      {
        what: isReservation
          ? { $case: "reservation", value: BigInt(id) }
          : { $case: "client", value: Number(id) },
      },
      request,
    );
    await output.write(`${isReservation ? "reservation" : "client"} ${id} is ended\n`);
  });
}
