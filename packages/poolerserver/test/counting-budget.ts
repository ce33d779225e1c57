import type { ConnectionBudget, ConnectionSlot } from "@multipooler/controller-api";

/** A budget that remembers whether more was taken than it allowed at that time. */
export class CountingBudget implements ConnectionBudget {
  limit: number;
  used = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  tryAcquire(): ConnectionSlot | undefined {
    if (this.used >= this.limit) {
      return undefined;
    }
    this.used += 1;
    let held = true;
    return {
      release: () => {
        if (held) {
          this.used -= 1;
        }
        held = false;
      },
    };
  }
}
