// What the admin routes need from the rest: given by the runtime, so that the routes hold no state of their own.
import type { Clock } from '../../core/clock.ts'
import type { Manifest, Relation } from '../../define/manifest.ts'
import type { RelationStore } from '../../engine/relations.ts'
import type { Identity } from '../../govern/identity.ts'
import type { BranchRetention } from '../../lake/branches.ts'
import type { Lake } from '../../lake/open-lake.ts'
import type { LakeTable } from '../../lake/types.ts'
import type { Log } from '../../log/log.ts'
import type { PipelineFigures } from '../../observe/figures.ts'
import type { FlowFigures } from '../../observe/flows.ts'
import type { SeriesStore } from '../../observe/series.ts'
import type { RunHistory } from '../../orchestrate/history.ts'
import type { Maintained } from '../../orchestrate/maintenance.ts'
import type { Advice } from '../../orchestrate/storage-advice.ts'
import type { StorageReport } from '../../orchestrate/verify-storage.ts'
import type { CheckHistory } from '../../quality/history.ts'
import type { CheckOutcome } from '../../quality/run-checks.ts'
import type { Catalog } from '../../store/catalog.ts'
import type { RangePlan } from '../../transform/range.ts'
import type { Answerer, Caller } from '../answer.ts'

export interface TokenInfo {
  readonly id: string
  readonly user: string
  readonly roles: readonly string[]
  readonly createdMs: number
  readonly expiresMs: number | null
  readonly revokedMs: number | null
}

/** What administrators do to stored tables; snapshots are named by id or tag. */
export interface StorageActions {
  /** Looks at every file of every retained snapshot, and at committed offsets. */
  verify(): Promise<StorageReport>
  advise(): Promise<readonly Advice[]>
  /** See `restoreTable`. */
  restore(who: Identity, table: string, to: string): Promise<LakeTable>
  /** Names a snapshot, the current one by default. */
  setTag(who: Identity, table: string, tag: string, options: { readonly snapshot?: string; readonly maxAgeMs?: number }): Promise<LakeTable>
  removeTag(who: Identity, table: string, tag: string): Promise<LakeTable>
  tags(table: string): Promise<LakeTable>
  createBranch(who: Identity, table: string, branch: string, options: BranchRetention & { readonly snapshot?: string }): Promise<LakeTable>
  removeBranch(who: Identity, table: string, branch: string): Promise<LakeTable>
}

export interface BackfillRequest {
  /** Intervals from here on, UTC: '2026-01-31' or with a time. */
  readonly from?: string
  /** Before this. */
  readonly to?: string
  /** Only intervals of which the table has no row. */
  readonly onlyMissing?: boolean
  /** Say what it comes to, and change nothing. */
  readonly dryRun?: boolean
}

export interface BackfillAnswer {
  /** Computes chosen intervals. */
  readonly run: string | null
  readonly plan: RangePlan | null
}

export interface AdminParts {
  readonly clock: Clock
  readonly version: string
  readonly environment: string
  manifest(): Manifest
  code(): string | null
  readonly log: Log
  readonly lake: Lake
  readonly catalog: Catalog
  readonly relations: RelationStore
  readonly history: RunHistory
  readonly checks: CheckHistory
  readonly series: SeriesStore
  readonly answerer: Answerer
  pipelines(): readonly PipelineFigures[]
  flows(): readonly FlowFigures[]
  startRun(request: { assets: readonly string[]; checks: readonly string[]; full: boolean; by: string }): Promise<string | null>
  /**
   * A live model is computed again, beside what it shows, or chosen intervals of a model in a run of their own; a dry run only says
   * what it comes to. @throws MR_USAGE for another relation.
   */
  startBackfill(who: Identity, model: string, request: BackfillRequest): Promise<BackfillAnswer>
  /** Kinds of answers that changed; see AdminEvent. */
  onChange(listener: (key: readonly [string, string?]) => void): () => void
  readonly storage: StorageActions
  /** Checks what the branch has and makes it `main` of all these tables, or of none. @throws MR_CHECK_BLOCKED, MR_LAKE_CONFLICT */
  publish(
    who: Identity,
    tables: readonly string[],
    branch: string,
  ): Promise<{ readonly tables: readonly LakeTable[]; readonly checks: readonly CheckOutcome[] }>
  /** One pass of maintenance now, over these tables or all. */
  maintain(who: Identity, tables: readonly string[]): Promise<Maintained>
  /** The first record of the audit trail that does not fit; null when all do. */
  verifyAudit(): Promise<{ readonly sequence: number; readonly reason: string } | null>
  readonly tokens: {
    /** See `Tokens.known`. */
    known(token: string): Caller | undefined
    create(request: {
      user: string
      roles: readonly string[]
      attributes: Readonly<Record<string, unknown>>
      expiresInMs?: number
    }): Promise<{ id: string; token: string }>
    list(): Promise<readonly TokenInfo[]>
    revoke(id: string): Promise<void>
  }
}

/** Whether a caller may see that a relation exists. */
export const isVisible = (parts: AdminParts, caller: Caller, relation: Relation): boolean =>
  parts.answerer.access(caller, relation.name).readable
