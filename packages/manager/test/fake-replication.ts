import type { ActionLease } from "../src/actions/action-lock.ts";
import { ManagerError, ManagerErrorCode } from "../src/manager-error.ts";
import type {
  FollowRequest,
  MainProcess,
  PauseMode,
  PrimaryConnInfo,
  PrimaryStatus,
  ReplicationControl,
  ReplicationStatus,
  ServerPosition,
  StandbyUpdate,
  SynchronousReplication,
} from "../src/replication/replication-control.ts";

/** The replication of a server that is nowhere but in this process. */
export class FakeReplication implements ReplicationControl {
  inRecovery = false;
  lsn = "0/3000148";
  timeline = 1;
  process: MainProcess = { pid: 4711, startedAt: new Date(0) };
  primaryConnInfo: PrimaryConnInfo | undefined;
  synchronous: SynchronousReplication | undefined;
  /** When its receiver heard of the primary. */
  heardAt: Date | undefined;
  /** What changed something, in order. */
  readonly calls: string[] = [];
  /** What every question rejects with. */
  fault: Error | undefined;
  /** What the next call of that name rejects with. */
  readonly faults: Map<string, Error> = new Map();
  /** What a promotion waits for before it changes anything. */
  held: Promise<void> | undefined;
  /** Called, after each change of {@link inRecovery}. */
  onChange: () => void = () => undefined;

  async position(): Promise<ServerPosition> {
    this.#ask();
    const { inRecovery, lsn, timeline } = this;
    return { inRecovery, lsn, timeline, systemIdentifier: 7n };
  }

  async mainProcess(): Promise<MainProcess> {
    this.#ask();
    return this.process;
  }

  async replicationStatus(): Promise<ReplicationStatus> {
    this.#ask();
    if (!this.inRecovery) {
      throw new ManagerError(ManagerErrorCode.FailedPrecondition, "not in standby mode");
    }
    return {
      lastReplayLsn: this.lsn,
      lastReceiveLsn: this.lsn,
      isReplayPaused: false,
      pauseState: "not paused",
      lastXactReplayTimestamp: undefined,
      primaryConnInfo: this.primaryConnInfo,
      walReceiver: this.primaryConnInfo === undefined ? undefined : "streaming",
      lastMessageReceivedAt: this.heardAt,
    };
  }

  async primaryStatus(): Promise<PrimaryStatus> {
    this.#ask();
    return { lsn: this.lsn, followers: [], synchronous: this.synchronous };
  }

  async waitForLsn(): Promise<void> {
    this.#ask();
  }

  async follow(lease: ActionLease, { host, port }: FollowRequest): Promise<void> {
    this.#change(lease, `follow ${host}:${port}`);
    this.primaryConnInfo = { host, port, user: "u", applicationName: "zone1_a", raw: "" };
  }

  async resumeReplay(lease: ActionLease): Promise<void> {
    this.#change(lease, "resumeReplay");
  }

  async pause(lease: ActionLease, mode: PauseMode): Promise<ReplicationStatus> {
    this.#change(lease, `pause ${mode}`);
    this.primaryConnInfo = undefined;
    return await this.replicationStatus();
  }

  async forgetPrimary(lease: ActionLease): Promise<void> {
    this.#change(lease, "forgetPrimary");
    this.primaryConnInfo = undefined;
  }

  async setSynchronous(
    lease: ActionLease,
    wanted: SynchronousReplication | undefined,
  ): Promise<void> {
    this.#change(lease, `setSynchronous ${wanted?.count ?? 0}`);
    this.synchronous = wanted;
  }

  async updateStandbys(lease: ActionLease, { operation }: StandbyUpdate): Promise<void> {
    this.#change(lease, `updateStandbys ${operation}`);
  }

  async promote(lease: ActionLease): Promise<void> {
    this.#change(lease, "promote");
    await this.held;
    if (this.inRecovery) {
      this.timeline += 1;
      this.become(false);
    }
  }

  async terminateClients(lease: ActionLease): Promise<number> {
    this.#change(lease, "terminateClients");
    return 2;
  }

  /** It was started again, as a standby or as a primary. */
  become(inRecovery: boolean): void {
    this.inRecovery = inRecovery;
    this.onChange();
  }

  #ask(): void {
    if (this.fault !== undefined) {
      throw this.fault;
    }
  }

  #change(lease: ActionLease, call: string): void {
    lease.requireHeld();
    this.calls.push(call);
    const [name = ""] = call.split(" ");
    const fault = this.faults.get(name);
    this.faults.delete(name);
    if (fault !== undefined) {
      throw fault;
    }
  }
}
