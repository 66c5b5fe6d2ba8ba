// Routes about live models that are computed again from history. The work is the pipeline's.
import type { Rebuild } from '../../stream/pipeline-progress.ts'
import type { Caller } from '../answer.ts'
import type { Clocked } from '../answers/admin.ts'
import type { AdminParts, BackfillAnswer, BackfillRequest } from './parts.ts'

export interface BackfillState extends Clocked {
  readonly model: string
  /** Null once it is committed, or when none was started. */
  readonly rebuild: Rebuild | null
}

export async function startBackfill(
  parts: AdminParts,
  caller: Caller,
  model: string,
  request: BackfillRequest,
): Promise<BackfillState & BackfillAnswer> {
  const started = await parts.startBackfill(caller, model, request)
  return { ...backfillState(parts, model), ...started }
}

export function backfillState(parts: AdminParts, model: string): BackfillState {
  const rebuild = parts.pipelines().find(({ makes, live }) => makes === model && live !== null)?.rebuild ?? null
  return { nowMs: parts.clock.nowMs(), model, rebuild }
}

export const progressOf = ({ historyRows, leftInLog }: Rebuild): string =>
  leftInLog === null ? `${historyRows} rows of history read` : `${historyRows} rows of history read, ${leftInLog} in the log to go`
