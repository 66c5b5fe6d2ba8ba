// A project with one of each: the scenario walks it end to end. A stream of two partitions, a table fed over HTTP, one from a
// file, every kind of model, checks, endpoints and access rules.
import { between, checks, endpoint, files, grant, http, masks, model, policy, project, role, sql, stream, t, table, unique } from 'millrace'

export const readings = stream(
  'readings',
  {
    id: t.long(),
    device: t.string(),
    region: t.string(),
    owner: t.string().optional().pii('owner'),
    amount: t.decimal(12, 2),
    level: t.int(),
    note: t.string().optional(),
    seen: t.timestamp(),
  },
  {
    from: http(),
    key: 'device',
    partitions: 2,
    time: 'seen',
    lateness: '10 seconds',
    maxSkew: '1 hour',
    dedupe: { by: 'id', within: '1 hour' },
  },
)

/** Nothing but load: what the figures of freshness are taken from. */
export const pulses = stream(
  'pulses',
  { id: t.long(), device: t.string(), value: t.double(), seen: t.timestamp() },
  { from: http(), key: 'device', partitions: 2 },
)

export const devices = table('devices', { id: t.string(), region: t.string(), price: t.decimal(10, 2) }, { from: http(), key: 'id' })

export const regions = table(
  'regions',
  { code: t.string(), name: t.string(), population: t.long() },
  { from: files({ path: 'data/regions.csv', format: 'csv' }), key: 'code', load: 'full' },
)

export const byRegion = model(
  'by_region',
  sql`SELECT g.name, CAST(count(*) AS BIGINT) AS readings, CAST(sum(r.amount) AS DECIMAL(38, 2)) AS total
    FROM ${readings} r JOIN ${regions} g ON g.code = r.region GROUP BY ALL`,
)

export const byDevice = model(
  'by_device',
  sql`SELECT device, CAST(count(*) AS BIGINT) AS readings, CAST(sum(amount) AS DECIMAL(38, 2)) AS total FROM ${readings} GROUP BY ALL`,
  { refresh: 'incremental', key: 'device' },
)

export const recent = model('recent', sql`SELECT id, device, region, owner, amount FROM ${readings} WHERE level >= 5`, { refresh: 'view' })

export const perMinute = model(
  'per_minute',
  sql`SELECT window_start, region, count(*) AS readings, sum(amount) AS total FROM tumble(${readings}, ${readings.seen}, INTERVAL 1 MINUTE) GROUP BY ALL`,
  { fresh: 'live' },
)

export const soundReadings = checks('sound_readings', [between(readings.level, 0, 9).quarantine()], { on: readings })
export const soundRegions = checks('sound_regions', [unique(byRegion.name).block()], { on: byRegion })

export const analyst = role('analyst', { region: t.string() })
export const sender = role('sender')
export const reads = grant('reads', { to: [analyst], on: [readings, recent] })
export const sends = grant('sends', { to: [sender], on: [readings], privilege: 'write' })
export const own = policy('own', { on: readings, to: analyst, rows: (row, user) => row.region.eq(user.region) })
export const ownRecent = policy('own_recent', { on: recent, to: analyst, rows: (row, user) => row.region.eq(user.region) })
export const hidden = masks('hidden', { owner: 'hash' })

export const ofDevice = endpoint('GET /readings/:device', {
  doc: 'Readings of a device',
  params: { device: t.string(), since: t.timestamp().optional(), least: t.decimal(12, 2).optional() },
  allow: [analyst],
  page: { by: 'id', size: 3 },
  sql: (p) => sql`SELECT id, amount, region, seen FROM ${readings}
    WHERE device = ${p.device} AND (${p.since} IS NULL OR seen >= ${p.since}) AND (${p.least} IS NULL OR amount >= ${p.least})`,
})

export const latest = endpoint('GET /latest', {
  allow: [analyst],
  live: true,
  sql: () => sql`SELECT CAST(count(*) AS BIGINT) AS readings, max(id) AS newest FROM ${recent}`,
})

export const device = endpoint('GET /devices/:id', {
  params: { id: t.string() },
  sql: (p) => sql`SELECT id, region, price FROM ${devices} WHERE id = ${p.id}`,
})

export default project('scenario', [
  { readings, pulses, devices, regions, byRegion, byDevice, recent, perMinute, soundReadings, soundRegions },
  { analyst, sender, reads, sends, own, ownRecent, hidden, ofDevice, latest, device },
])
