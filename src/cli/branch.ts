// `millrace branch` and `millrace publish`: branches of tables and what becomes of them, on the running server.
import { durationMs } from '../core/duration.ts'
import type { PublishedAnswer, Tags } from '../serve/admin/storage.ts'
import { type CommandOptions, dataOf } from './options.ts'
import { openOutput } from './output.ts'
import { mustConnect } from './remote.ts'

interface CreateOptions extends CommandOptions {
  readonly snapshot?: string
  readonly keep?: string
  readonly minSnapshots?: string
  readonly keepSnapshots?: string
}

export async function create([relation, branch]: string[], options: CreateOptions): Promise<number> {
  const output = openOutput(options)
  const body = {
    branch,
    ...(options.snapshot ? { snapshot: options.snapshot } : {}),
    ...(options.keep ? { maxAgeMs: durationMs(options.keep) } : {}),
    ...(options.minSnapshots ? { minSnapshots: Number(options.minSnapshots) } : {}),
    ...(options.keepSnapshots ? { maxSnapshotAgeMs: durationMs(options.keepSnapshots) } : {}),
  }
  const remote = await mustConnect(dataOf(options))
  const { tags } = (await remote.post(`/admin/relations/${relation}/branches`, body)) as Tags
  const made = tags.find((candidate) => candidate.name === branch)!
  output.data(made)
  output.line(`${branch} is a branch of ${relation} from snapshot ${made.snapshot}: SELECT * FROM ${relation} AT (VERSION => '${branch}')`)
  return 0
}

export async function remove([relation, branch]: string[], options: CommandOptions): Promise<number> {
  const output = openOutput(options)
  const remote = await mustConnect(dataOf(options))
  await remote.post(`/admin/relations/${relation}/branches/${encodeURIComponent(branch!)}/remove`, {})
  output.data({ table: relation, removed: branch })
  output.line(`${branch} is gone; what was only on it expires`)
  return 0
}

export async function publish(tables: string[], options: CommandOptions & { readonly branch: string }): Promise<number> {
  const output = openOutput(options)
  const remote = await mustConnect(dataOf(options))
  const published = (await remote.post('/admin/publish', { tables, branch: options.branch })) as PublishedAnswer
  output.data(published)
  for (const { table, snapshot } of published.tables) output.line(`${table} is at snapshot ${snapshot}`)
  for (const { name, state } of published.checks) if (state !== 'pass') output.progress(`${name}: ${state}`)
  return 0
}
