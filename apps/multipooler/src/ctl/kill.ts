import type { ClientOptions } from "./client-options.ts";
import { ConfigError } from "../settings/config.ts";
import type { GetActivityResponse } from "@multipooler/proto/operations-v1";
import { printable } from "@multipooler/text-table";
import { writeSteps } from "./explanation.ts";
import type { ExplainOptions, Step } from "./explanation.ts";
import { jsonText } from "./output.ts";
import { callPooler } from "./pooler-call.ts";
import type { CtlOutput } from "./pooler-call.ts";

export interface KillOptions extends ClientOptions, ExplainOptions {
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
    const what = isReservation ? "reservation" : "client";
    if (options.explain) {
      const activity = await client.getActivity(request);
      await writeSteps(output, options, [killStep(id, isReservation, activity)]);
      return;
    }
    await client.kill(
      {
        what: isReservation
          ? { $case: "reservation", value: BigInt(id) }
          : { $case: "client", value: Number(id) },
      },
      request,
    );
    await output.write(
      options.json ? jsonText({ ended: true, [what]: id }) : `${what} ${id} is ended\n`,
    );
  });
}

function killStep(
  id: string,
  isReservation: boolean,
  { clients, reservations }: GetActivityResponse,
): Step {
  const found = isReservation
    ? reservations.find((one) => String(one.id) === id)
    : clients.find((one) => String(one.id) === id);
  if (found === undefined) {
    throw new Error(`there is no ${isReservation ? "reservation" : "client"} ${id}`);
  }
  const whose = `user ${printable(found.user)} in database ${printable(found.database)}`;
  const explanation = isReservation
    ? `give up the connection of ${whose}, and roll its transaction back`
    : `end the session of ${whose}, and roll its transaction back`;
  return { name: isReservation ? "end reservation" : "end client", explanation, needed: true };
}
