#!/usr/bin/env node
import { SignalGuard } from "./signal-guard.ts";

const signals = new SignalGuard();
// Loaded after the handlers are installed: it takes long enough for a signal to arrive.
const { runProgram } = await import("./program.ts");
await signals.settle();
await runProgram(signals);
