export { COLLECTING, collectedMemory, type Memory } from "./collected-memory.ts";
export { cpuUs, openFiles, residentBytes } from "./process-figures.ts";
export { programEnvironment, programPath, runProgram } from "./program.ts";
export type { ProgramResult } from "./program.ts";
export { startPooler } from "./pooler-process.ts";
export type { LogLine, PoolerExit, PoolerProcess, StartPoolerOptions } from "./pooler-process.ts";
