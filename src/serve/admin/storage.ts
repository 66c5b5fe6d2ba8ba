// Routes of administrators about stored tables: going back to a snapshot, tags, advice. What they do is the runtime's.
import { MillraceError } from '../../core/errors.ts'
import { RESTORED_FROM, rowsLeft } from '../../lake/snapshot-summary.ts'
import type { LakeTable } from '../../lake/types.ts'
import type { StepRecord } from '../../orchestrate/history.ts'
import type { Advice } from '../../orchestrate/storage-advice.ts'
import { shortName } from '../../store/identifier.ts'
import type { Caller } from '../answer.ts'
import type { AdminParts } from './parts.ts'

export interface Restored {
  readonly table: string
  /** The new snapshot, and the earlier one whose rows it has. */
  readonly snapshot: string
  readonly from: string
  readonly rows: number | null
}

export interface Tag {
  readonly name: string
  readonly kind: 'branch' | 'tag'
  readonly snapshot: string
  readonly committedMs: number | null
}

export interface Tags {
  readonly table: string
  readonly tags: readonly Tag[]
}

export async function restore(parts: AdminParts, caller: Caller, name: string, body: unknown): Promise<Restored> {
  return restoredOf(await parts.storage.restore(caller, name, textOf(body, 'to')))
}

export function restoredOf({ name, current }: LakeTable): Restored {
  const from = current!.summary[RESTORED_FROM] ?? ''
  return { table: name, snapshot: String(current!.id), from, rows: rowsLeft(current!.summary) }
}

export const tags = async (parts: AdminParts, name: string): Promise<Tags> => tagsOf(await parts.storage.tags(name))

export async function setTag(parts: AdminParts, caller: Caller, name: string, body: unknown): Promise<Tags> {
  const { snapshot, maxAgeMs } = (body ?? {}) as Record<string, unknown>
  if ((snapshot !== undefined && typeof snapshot !== 'string') || (maxAgeMs !== undefined && typeof maxAgeMs !== 'number'))
    throw new MillraceError('MR_USAGE', 'snapshot is an id or a tag as text, maxAgeMs a number', {
      fix: 'send {"tag": "<name>", "snapshot": "<id>", "maxAgeMs": 86400000}',
    })
  const options = { ...(typeof snapshot === 'string' ? { snapshot } : {}), ...(typeof maxAgeMs === 'number' ? { maxAgeMs } : {}) }
  return tagsOf(await parts.storage.setTag(caller, name, textOf(body, 'tag'), options))
}

export const removeTag = async (parts: AdminParts, caller: Caller, name: string, tag: string): Promise<Tags> =>
  tagsOf(await parts.storage.removeTag(caller, name, tag))

/** Names of snapshots, `main` not among them. */
export function tagsOf({ name, refs, snapshots }: LakeTable): Tags {
  const all = Object.entries(refs).filter(([ref]) => ref !== 'main')
  return {
    table: name,
    tags: all.map(([ref, { snapshotId, kind }]) => ({
      name: ref,
      kind,
      snapshot: String(snapshotId),
      committedMs: snapshots.find((snapshot) => snapshot.id === snapshotId)?.timestampMs ?? null,
    })),
  }
}

export const advice = async (parts: AdminParts): Promise<{ advice: readonly Advice[] }> => ({ advice: await parts.storage.advise() })

export interface MaintainedStep {
  readonly name: string
  readonly table: string | null
  readonly state: 'done' | 'failed'
  readonly note: string | null
  readonly error: StepRecord['error']
  readonly filesBefore: number
  readonly filesAfter: number
  readonly bytesBefore: number
  readonly bytesAfter: number
}

export interface MaintainedAnswer {
  /** Null when there was nothing to do. */
  readonly run: string | null
  readonly steps: readonly MaintainedStep[]
}

export async function maintain(parts: AdminParts, caller: Caller, body: unknown): Promise<MaintainedAnswer> {
  const { runId, steps } = await parts.maintain(caller, namesOf(body) ?? [])
  return { run: runId, steps: steps.map(maintainedStep) }
}

const maintainedStep = ({ name, relation, status, note, error, saved }: StepRecord): MaintainedStep => ({
  name,
  table: relation === '' ? null : relation,
  state: status === 'succeeded' ? 'done' : 'failed',
  note,
  error,
  ...saved!,
})

const RETENTION = ['maxAgeMs', 'minSnapshots', 'maxSnapshotAgeMs'] as const

export async function createBranch(parts: AdminParts, caller: Caller, name: string, body: unknown): Promise<Tags> {
  const asked = (body ?? {}) as Record<string, unknown>
  const odd = RETENTION.find((member) => asked[member] !== undefined && !(Number.isInteger(asked[member]) && Number(asked[member]) > 0))
  if (odd !== undefined || (asked['snapshot'] !== undefined && typeof asked['snapshot'] !== 'string'))
    throw new MillraceError('MR_USAGE', `${odd ?? 'snapshot'} is not ${odd ? 'a positive whole number' : 'an id or a tag as text'}`, {
      fix: 'send {"branch": "<name>", "snapshot": "<id>", "maxAgeMs": 86400000, "minSnapshots": 3, "maxSnapshotAgeMs": 86400000}',
    })
  const retention = Object.fromEntries(
    RETENTION.flatMap((member) => (asked[member] === undefined ? [] : [[member, Number(asked[member])]])),
  )
  const at = typeof asked['snapshot'] === 'string' ? { snapshot: asked['snapshot'] } : {}
  return tagsOf(await parts.storage.createBranch(caller, name, textOf(body, 'branch'), { ...retention, ...at }))
}

export const removeBranch = async (parts: AdminParts, caller: Caller, name: string, branch: string): Promise<Tags> =>
  tagsOf(await parts.storage.removeBranch(caller, name, branch))

export interface PublishedAnswer {
  readonly tables: readonly { readonly table: string; readonly snapshot: string }[]
  readonly checks: readonly { readonly name: string; readonly state: 'pass' | 'fail' | 'error' }[]
}

export async function publish(parts: AdminParts, caller: Caller, body: unknown): Promise<PublishedAnswer> {
  const { tables, checks } = await parts.publish(caller, namesOf(body) ?? [], textOf(body, 'branch'))
  return {
    tables: tables.map(({ name, current }) => ({ table: name, snapshot: String(current!.id) })),
    checks: checks.map(({ check, status }) => ({ name: check.name, state: status })),
  }
}

function namesOf(body: unknown): readonly string[] | undefined {
  const { tables } = (body ?? {}) as Record<string, unknown>
  if (tables !== undefined && !(Array.isArray(tables) && tables.every((name) => typeof name === 'string')))
    throw new MillraceError('MR_USAGE', 'tables is a list of names', { fix: 'send {"tables": ["orders"]}' })
  return (tables as readonly string[] | undefined)?.map(shortName)
}

function textOf(body: unknown, member: 'to' | 'tag' | 'branch'): string {
  const value = ((body ?? {}) as Record<string, unknown>)[member]
  if (typeof value === 'string' && value !== '') return value
  throw new MillraceError('MR_USAGE', `the request does not say ${member === 'to' ? 'to which snapshot' : `which ${member}`}`, {
    fix: member === 'to' ? 'send {"to": "<snapshot id or tag>"}' : `send {"${member}": "<name>"}`,
  })
}
