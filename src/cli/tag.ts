// `millrace tag`: names of snapshots, on the running server.
import { durationMs } from '../core/duration.ts'
import type { Tags } from '../serve/admin/storage.ts'
import { type CommandOptions, dataOf } from './options.ts'
import { openOutput, printTable } from './output.ts'
import { mustConnect } from './remote.ts'

interface CreateOptions extends CommandOptions {
  readonly snapshot?: string
  readonly keep?: string
}

export async function create([relation, tag]: string[], options: CreateOptions): Promise<number> {
  const output = openOutput(options)
  const body = {
    tag,
    ...(options.snapshot ? { snapshot: options.snapshot } : {}),
    ...(options.keep ? { maxAgeMs: durationMs(options.keep) } : {}),
  }
  const remote = await mustConnect(dataOf(options))
  const { tags } = (await remote.post(`/admin/relations/${relation}/tags`, body)) as Tags
  const made = tags.find((candidate) => candidate.name === tag)!
  output.data(made)
  output.line(`${tag} is snapshot ${made.snapshot} of ${relation}: SELECT * FROM ${relation} AT (VERSION => '${tag}')`)
  return 0
}

export async function list([relation]: string[], options: CommandOptions): Promise<number> {
  const output = openOutput(options)
  const { tags } = (await (await mustConnect(dataOf(options))).get(`/admin/relations/${relation}/tags`)) as Tags
  output.data(tags)
  const time = (ms: number | null): string => (ms === null ? '' : new Date(ms).toISOString())
  output.line(
    printTable(
      ['name', 'kind', 'snapshot', 'committed'],
      tags.map(({ name, kind, snapshot, committedMs }) => [name, kind, snapshot, time(committedMs)]),
    ),
  )
  return 0
}

export async function remove([relation, tag]: string[], options: CommandOptions): Promise<number> {
  const output = openOutput(options)
  const remote = await mustConnect(dataOf(options))
  await remote.post(`/admin/relations/${relation}/tags/${encodeURIComponent(tag!)}/remove`, {})
  output.data({ table: relation, removed: tag })
  output.line(`${tag} is gone; its snapshot expires like any other`)
  return 0
}
