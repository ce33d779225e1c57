import { QuickstartError } from "./error.ts";
import { mayRun } from "./members.ts";
import type { Member } from "./members.ts";
import type { Ports } from "./options.ts";
import { isListening } from "./probe.ts";

const USES: Readonly<Record<keyof Ports, string>> = {
  postgres: "PostgreSQL",
  http: "the pooler's HTTP",
  grpc: "the pooler's gRPC",
  psql: "psql and drivers",
};

/**
 * Checks that nothing listens on the ports, before anything is started. `takeOver`: the PostgreSQL of an
 * earlier `npm start` may.
 *
 * @throws QuickstartError `port-in-use`, saying which port and how to choose another.
 */
export async function checkFree(
  member: Member,
  { takeOver }: { readonly takeOver: boolean },
): Promise<void> {
  const { ports, replica } = member;
  const whose = replica === undefined ? "" : ` of ${replica}`;
  for (const use of ["postgres", "http", "grpc", "psql"] as const) {
    if (use === "postgres" && takeOver && mayRun(member)) {
      continue; // Its own control finds out whether it is the one.
    }
    if (await isListening(ports[use])) {
      throw new QuickstartError(
        "port-in-use",
        `port ${ports[use]} for ${USES[use]}${whose} is in use: end what listens there, or choose another with npm start -- --${use}-port <port>`,
      );
    }
  }
}
