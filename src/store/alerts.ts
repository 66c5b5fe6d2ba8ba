// Alerts: at most one firing at a time of each name, and the history of those resolved.
import type { Store } from './open-store.ts'
import type { AlertRow } from './tables.ts'

export interface Alert {
  readonly id: string
  readonly name: string
  readonly state: 'firing' | 'resolved'
  readonly sinceMs: number
  readonly lastSentMs: number | null
  readonly resolvedMs: number | null
  readonly detail: unknown
}

type Database = Pick<Store, 'read' | 'write'>

/** Begins an alert, or updates the detail of the one that fires already; answers the one that fires. */
export const fireAlert = (store: Database, alert: Pick<Alert, 'id' | 'name' | 'sinceMs' | 'detail'>): Promise<Alert> =>
  store.write(async (tx) => {
    const detail = JSON.stringify(alert.detail ?? null)
    const firing = await tx
      .updateTable('alerts')
      .set({ detail })
      .where('name', '=', alert.name)
      .where('state', '=', 'firing')
      .returningAll()
      .executeTakeFirst()
    if (firing) return toAlert(firing)
    const row: AlertRow = { ...alert, detail, state: 'firing', lastSentMs: null, resolvedMs: null }
    await tx.insertInto('alerts').values(row).execute()
    return toAlert(row)
  })

/** Notes when the alert was last sent. */
export const alertSent = (store: Database, id: string, lastSentMs: number): Promise<void> =>
  store.write(async (tx) => {
    await tx.updateTable('alerts').set({ lastSentMs }).where('id', '=', id).execute()
  })

/** Ends the alert that fires under a name; null when none does. */
export const resolveAlert = (store: Database, name: string, resolvedMs: number): Promise<Alert | null> =>
  store.write(async (tx) => {
    const row = await tx
      .updateTable('alerts')
      .set({ state: 'resolved', resolvedMs })
      .where('name', '=', name)
      .where('state', '=', 'firing')
      .returningAll()
      .executeTakeFirst()
    return row ? toAlert(row) : null
  })

/** Newest first. */
export async function listAlerts(
  store: Database,
  filter: { readonly state?: Alert['state']; readonly limit?: number } = {},
): Promise<Alert[]> {
  let query = store.read.selectFrom('alerts').selectAll()
  if (filter.state !== undefined) query = query.where('state', '=', filter.state)
  const rows = await query
    .orderBy('sinceMs', 'desc')
    .orderBy('id', 'desc')
    .limit(filter.limit ?? 100)
    .execute()
  return rows.map(toAlert)
}

const toAlert = (row: AlertRow): Alert => ({ ...row, state: row.state as Alert['state'], detail: JSON.parse(row.detail) as unknown })
