import type { ManagerStatus, MultiPoolerManager } from "@multipooler/manager";
import type { Meter } from "@opentelemetry/api";
import type { Figure } from "./figure.ts";

/** The part of a manager that the metrics are read from. */
export type ReportedManager = Pick<MultiPoolerManager, "status" | "watchStatus">;

/** Whether the pooler serves, and how far a replica is behind. */
export function servingFigures(manager: ReportedManager): readonly Figure[] {
  return [
    {
      name: "mg.pooler.up",
      kind: "gauge",
      description: "Whether the pooler serves what its role allows.",
      read: () => {
        const status = manager.status();
        return [{ value: status.ready ? 1 : 0, attributes: { routing_role: roleOf(status) } }];
      },
    },
    {
      name: "mg.pooler.replication.lag",
      kind: "gauge",
      unit: "s",
      description: "The age of the last heartbeat that a replica has got.",
      read: () => {
        const { heartbeat } = manager.status();
        const lagMs = heartbeat.mode === "reader" ? heartbeat.lagMs : undefined;
        return lagMs === undefined ? [] : [{ value: lagMs / 1000, attributes: {} }];
      },
    },
    {
      name: "mg.pooler.replication.behind",
      kind: "gauge",
      unit: "By",
      description: "How much WAL of its primary the standby has not replayed.",
      read: () => {
        const { heartbeat } = manager.status();
        const bytes = heartbeat.mode === "reader" ? heartbeat.behindBytes : undefined;
        return bytes === undefined ? [] : [{ value: bytes, attributes: {} }];
      },
    },
  ];
}

/** "primary" or "replica", as Multigres labels it. */
export function roleOf({ serving }: Pick<ManagerStatus, "serving">): string {
  return serving.current.role.toLowerCase();
}

/** Counts the changes of the serving status from now on. Returns the way to stop. */
export function countTransitions(meter: Meter, manager: ReportedManager): () => void {
  const transitions = meter.createCounter("mg.pooler.serving.transitions", {
    description: "Changes of the serving status.",
  });
  let { status } = manager.status().serving.current;
  return manager.watchStatus(({ serving: { current } }) => {
    if (current.status !== status) {
      transitions.add(1, { from: status, to: current.status });
      ({ status } = current);
    }
  });
}
