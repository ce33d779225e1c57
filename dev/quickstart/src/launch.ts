import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { takeBaseBackup } from "@multipooler/base-backup";
import { startPostgres } from "@multipooler/embedded-postgres";
import type { EmbeddedPostgres } from "@multipooler/embedded-postgres";
import { isNew, isStandby, leaderOf } from "./members.ts";
import type { Member, Members } from "./members.ts";
import { ensurePassword } from "./password.ts";
import { serveControl } from "./process-control.ts";
import { timed } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export interface LaunchContext {
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  /** Stops what was launched, the standbys before the one that they follow. */
  readonly parts: AsyncDisposableStack;
}

/** Launches the PostgreSQL of each; one that is new is made, or copied from the one that it follows. */
export async function launchServers(
  members: Members,
  context: LaunchContext,
): Promise<ReadonlyMap<Member, EmbeddedPostgres>> {
  const leader = leaderOf(members);
  const servers = new Map<Member, EmbeddedPostgres>();
  for (const member of [leader, ...members.filter((other) => other !== leader)]) {
    const what = member.replica === undefined ? "" : ` of ${member.replica}`;
    const server = await timed(context.terminal, `starting PostgreSQL${what}`, () =>
      launch(member, leader, context.signal),
    );
    servers.set(member, context.parts.use(server));
    context.parts.use(await serveControl(server, context.terminal));
  }
  return servers;
}

async function launch(
  member: Member,
  leader: Member,
  signal: AbortSignal,
): Promise<EmbeddedPostgres> {
  const { places, ports } = member;
  const password = await ensurePassword(leader.places);
  const isFresh = isNew(member);
  if (isFresh && member !== leader) {
    await copy(leader, member, { password, signal });
  }
  const follows = member !== leader && (isFresh || isStandby(member));
  return await startPostgres(
    {
      dataDir: places.data,
      stateDir: places.server,
      port: ports.postgres,
      auth: "scram-sha-256",
      password,
      standbyOf: follows
        ? {
            host: "127.0.0.1",
            port: leader.ports.postgres,
            applicationName: `zone1_${member.name}`,
          }
        : undefined,
    },
    { signal },
  );
}

async function copy(
  leader: Member,
  member: Member,
  { password, signal }: { readonly password: string; readonly signal: AbortSignal },
): Promise<void> {
  await mkdir(dirname(member.places.data), { recursive: true });
  const { uid, gid } = await stat(leader.places.data);
  await takeBaseBackup(
    {
      source: {
        address: { type: "tcp", host: "127.0.0.1", port: leader.ports.postgres },
        user: "postgres",
        credential: async () => ({ type: "password", password }),
      },
      dataDir: member.places.data,
      owner: { uid, gid },
    },
    { signal },
  );
}
