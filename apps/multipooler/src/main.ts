#!/usr/bin/env node
import { SignalGuard } from "./signal-guard.ts";

const signals = new SignalGuard();
// Only now the rest: loading it takes long enough for a signal to arrive.
const { runProgram } = await import("./program.ts");
await signals.settle();
await runProgram(signals);
