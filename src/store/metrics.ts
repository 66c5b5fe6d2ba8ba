// A short history of metrics for the console and for alerts: bounded by age and by rows. Not a time series database; the
// /metrics endpoint is what one scrapes.
import type { Store } from './open-store.ts'

export interface MetricPoint {
  readonly atMs: number
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface MetricLimits {
  /** Points from before this time are removed. */
  readonly keepFromMs: number
  /** Points that are kept at most, the newest. */
  readonly rowsMax: number
}

type Database = Pick<Store, 'read' | 'write'>

/** Adds points, a later one of the same name, labels and time replacing the earlier, and removes what is beyond the limits. */
export const writeMetrics = (store: Database, points: readonly MetricPoint[], limits: MetricLimits): Promise<void> =>
  store.write(async (tx) => {
    for (const { labels, ...rest } of points) {
      await tx
        .insertInto('metrics')
        .values({ ...rest, labels: printLabels(labels) })
        .onConflict((conflict) => conflict.columns(['name', 'labels', 'atMs']).doUpdateSet({ value: rest.value }))
        .execute()
    }
    await tx.deleteFrom('metrics').where('atMs', '<', limits.keepFromMs).execute()
    await tx
      .deleteFrom('metrics')
      .where('atMs', '<=', (eb) => eb.selectFrom('metrics').select('atMs').orderBy('atMs', 'desc').offset(limits.rowsMax).limit(1))
      .execute()
  })

/** Points of a metric from `fromMs` on, oldest first; of all labels unless some are given. */
export async function readMetrics(
  store: Database,
  name: string,
  fromMs: number,
  labels?: Readonly<Record<string, string>>,
): Promise<MetricPoint[]> {
  let query = store.read.selectFrom('metrics').selectAll().where('name', '=', name).where('atMs', '>=', fromMs)
  if (labels) query = query.where('labels', '=', printLabels(labels))
  const rows = await query.orderBy('atMs').orderBy('labels').execute()
  return rows.map((row) => ({ ...row, labels: JSON.parse(row.labels) as Record<string, string> }))
}

const printLabels = (labels: Readonly<Record<string, string>>): string =>
  JSON.stringify(Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))))
