import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import type {
  CallOptions,
  LoginCredentials,
  QueryService,
  SessionCaller,
  SessionClient,
} from "@multipooler/query-service";
import type { PoolerManager } from "../src/server/pgwire-server-options.ts";
import { FakeSession } from "./fake-session.ts";

/** The verifier of a password, as PostgreSQL stores it. */
function verifierOf(password: string): string {
  const salt = Buffer.from("0123456789abcdef");
  const salted = pbkdf2Sync(password, salt, 4096, 32, "sha256");
  const key = (name: string): Buffer => createHmac("sha256", salted).update(name).digest();
  const storedKey = createHash("sha256").update(key("Client Key")).digest("base64");
  return `SCRAM-SHA-256$4096:${salt.toString("base64")}$${storedKey}:${key("Server Key").toString("base64")}`;
}

/** The password of the role "alice". */
export const PASSWORD = "open sesame";
const ALICE: LoginCredentials = {
  scramVerifier: verifierOf(PASSWORD),
  isReplicationRole: false,
};

/** A manager whose executor knows the role "alice" and opens sessions that the test plays. */
export class FakeManager implements PoolerManager {
  /** Thrown instead of handing out an executor. */
  refusal: Error | undefined;
  readonly roles: Map<string, LoginCredentials> = new Map([["alice", ALICE]]);
  readonly sessions: FakeSession[] = [];
  /** Replaces how sessions are opened. */
  open: (
    caller: SessionCaller,
    client: SessionClient,
    options: CallOptions,
  ) => Promise<FakeSession> = (caller, client) => Promise.resolve(new FakeSession(caller, client));
  lookup: (user: string, options: CallOptions) => Promise<LoginCredentials | undefined> = (user) =>
    Promise.resolve(this.roles.get(user));

  /** The only session. */
  get session(): FakeSession {
    const [session] = this.sessions;
    if (session === undefined || this.sessions.length > 1) {
      throw new Error(`there are ${this.sessions.length} sessions`);
    }
    return session;
  }

  queryServiceControl(): { getExecutor(): QueryService } {
    return {
      getExecutor: () => {
        if (this.refusal !== undefined) {
          throw this.refusal;
        }
        const noCall = (): Promise<never> => Promise.reject(new Error("a listener makes no calls"));
        return {
          streamExecute: noCall,
          describe: noCall,
          copyIn: noCall,
          copyOut: noCall,
          concludeTransaction: noCall,
          discardTempTables: noCall,
          releaseReservation: noCall,
          openSession: async (caller, client, options = {}) => {
            const session = await this.open(caller, client, options);
            this.sessions.push(session);
            return session;
          },
          getCredentials: async ({ user }, options = {}) => await this.lookup(user, options),
          subscribe: () => {
            throw new Error("a listener has its sessions listen");
          },
        };
      },
    };
  }
}
