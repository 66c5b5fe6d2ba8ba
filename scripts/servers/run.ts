// Runs a program to its end, for the scripts that install servers.
import { spawnSync } from 'node:child_process'

/** Undefined when it succeeded, otherwise why not: the last lines that it printed. */
export function run(command: string, args: readonly string[]): string | undefined {
  const done = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26 })
  if (done.error) return `${command} does not start: ${done.error.message}`
  return done.status === 0 ? undefined : `${command} failed: ${(done.stdout + done.stderr).trim().split('\n').slice(-5).join('\n')}`
}
