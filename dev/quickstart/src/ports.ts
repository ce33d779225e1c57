import { QuickstartError } from "./error.ts";
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
 * Checks that nothing listens on the ports, before anything is started.
 *
 * @throws QuickstartError `port-in-use`, saying which port and how to choose another.
 */
export async function checkFree({ ports, replica }: Member): Promise<void> {
  const whose = replica === undefined ? "" : ` of ${replica}`;
  for (const use of ["postgres", "http", "grpc", "psql"] as const) {
    if (await isListening(ports[use])) {
      throw new QuickstartError(
        "port-in-use",
        `port ${ports[use]} for ${USES[use]}${whose} is in use: end what listens there, or choose another with npm start -- --${use}-port <port>`,
      );
    }
  }
}
