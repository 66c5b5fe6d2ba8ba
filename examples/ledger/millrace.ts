// Ledger: a long history of entries, corrected late. Entries are kept by id, partitioned by month and clustered by account;
// a correction recomputes the day that it touches and nothing else.
import { checks, embedded, endpoint, grant, http, masks, model, notNull, policy, project, role, sql, t, table, unique } from 'millrace'

export const entries = table(
  'entries',
  {
    id: t.uuid(),
    account: t.string().pii('account'),
    branch: t.string(),
    amount: t.decimal(18, 2).unit('EUR').doc('Negative: paid out'),
    text: t.string().optional().pii('text'),
    booked: t.timestamp(),
  },
  { from: http(), key: 'id', partition: ['month(booked)'], cluster: ['account', 'booked'], doc: 'Entries; the same id again corrects one' },
)

export const dailyBalance = model(
  'daily_balance',
  sql`
  SELECT CAST(booked AS DATE) AS day, branch, count(*) AS entries, CAST(sum(amount) AS DECIMAL(28, 2)) AS moved
  FROM ${entries} GROUP BY ALL`,
  { refresh: 'incremental', by: 'day', key: ['day', 'branch'] },
)

export const balances = model(
  'balances',
  sql`SELECT account, max(branch) AS branch, count(*) AS entries, CAST(sum(amount) AS DECIMAL(28, 2)) AS balance, max(booked) AS last_booked
  FROM ${entries} GROUP BY account`,
  { refresh: 'view', key: 'account' },
)

export const soundEntries = checks('sound_entries', [unique(entries.id).block(), notNull(entries.branch)], { on: entries })

export const clerk = role('clerk', { branch: t.string() })
export const auditor = role('auditor')
export const clerksRead = grant('clerks_read', { to: [clerk], on: [entries, dailyBalance, balances] })
export const auditorsRead = grant('auditors_read', { to: [auditor], on: ['*'] })
export const ownEntries = policy('own_entries', { on: entries, to: clerk, rows: (row, user) => row.branch.eq(user.branch) })
export const ownDays = policy('own_days', { on: dailyBalance, to: clerk, rows: (row, user) => row.branch.eq(user.branch) })
export const ownBalances = policy('own_balances', { on: balances, to: clerk, rows: (row, user) => row.branch.eq(user.branch) })
export const hidden = masks('hidden', { account: 'last4', text: 'redact' }, { except: [auditor] })

export const days = endpoint('GET /branches/:branch/days', {
  params: { branch: t.string(), since: t.date() },
  allow: [clerk, auditor],
  page: { by: 'day', size: 100 },
  sql: (p) => sql`SELECT day, entries, moved FROM ${dailyBalance} WHERE branch = ${p.branch} AND day >= ${p.since} ORDER BY day`,
})

export default project(
  'ledger',
  [entries, dailyBalance, balances, soundEntries, clerk, auditor, clerksRead, auditorsRead, ownEntries, ownDays, ownBalances, hidden, days],
  { environments: { dev: embedded() } },
)
