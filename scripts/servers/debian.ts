// Installs a package of Debian where that can be done without asking: as root, with apt-get.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/** Null when it is installed, otherwise why not. */
export function installDebian(name: string): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get'))
    return `no ${name} on the path, and no apt-get as root to install it`
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  for (const args of [
    ['update', '-qq'],
    ['install', '-y', '-qq', '--no-install-recommends', name],
  ]) {
    const done = spawnSync('apt-get', args, { env, stdio: ['ignore', 'ignore', 'pipe'], timeout: 300_000 })
    if (done.status !== 0) return `apt-get ${args.join(' ')} failed: ${String(done.stderr).trim().split('\n').at(-1) ?? ''}`
  }
  return null
}
