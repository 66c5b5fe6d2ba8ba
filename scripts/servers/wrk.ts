// wrk, the load generator of `bench/ingest`: on the path, or Debian's package installed as root.
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { installDebian } from './debian.ts'

const onPath = (): string | undefined =>
  (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'wrk'))
    .find((path) => existsSync(path))

/** @throws when there is none and it cannot be installed. */
export function findWrk(): string {
  const there = onPath()
  if (there !== undefined) return there
  const failed = installDebian('wrk')
  const path = onPath()
  if (path === undefined) throw new Error(`the load comes from wrk: ${failed ?? 'installed, yet not on the path'}`)
  return path
}
