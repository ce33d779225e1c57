import { ConfigError } from "../settings/config.ts";
import { withTopology } from "./topo-command.ts";
import type { TopoIo, TopoOptions } from "./topo-command.ts";
import { EventLines, eventJson } from "./topo-event-lines.ts";
import { kindNamed } from "./topo-name.ts";
import { TOPO_KINDS } from "./topo-record.ts";
import type { TopoKind } from "./topo-record.ts";
import { watchTopology } from "./topo-watching.ts";

/**
 * `ctl topo watch`: prints the current records, then every change, until the signal aborts. Resolves
 * with the exit code.
 */
export function topoWatch(
  what: string | undefined,
  options: TopoOptions,
  io: TopoIo,
  { signal }: { readonly signal: AbortSignal },
): Promise<number> {
  const kinds = what === undefined ? TOPO_KINDS : [parseKind(what)];
  return withTopology(options, io, async ({ topology, output, json }) => {
    const lines = new EventLines();
    await watchTopology({
      topology,
      kinds,
      onEvent: (event) => {
        const now = new Date();
        return output.write(json ? eventJson(event, now) : lines.line(event, now));
      },
      signal: AbortSignal.any([signal, output.closed]),
    });
    return 0;
  });
}

function parseKind(word: string): TopoKind {
  const kind = kindNamed(word);
  if (kind !== undefined) {
    return kind;
  }
  throw new ConfigError([`${JSON.stringify(word)} is no kind of record: ${TOPO_KINDS.join(", ")}`]);
}
