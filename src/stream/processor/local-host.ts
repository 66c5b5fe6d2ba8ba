// Runs a processor in the calling thread: for tests and measurements. Code that does not come back is not noticed.
import { Executor, type ExecutorParts } from './executor.ts'
import type { ProcessorHost } from './host.ts'

export function localHost(parts: ExecutorParts): ProcessorHost {
  const executor = new Executor(parts)
  return {
    restore: async (saved) => executor.restore(saved),
    run: async (round) => executor.run(round),
    resume: async () => executor.resume(),
    // As it comes from another thread: what it answers shares nothing with what goes on.
    save: async () => structuredClone(executor.save()),
    get keys() {
      return executor.keys
    },
    get bytes() {
      return executor.bytes
    },
    close: async () => {},
  }
}
