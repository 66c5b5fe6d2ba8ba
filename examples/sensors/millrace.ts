// Sensors: thousands of devices that send late, double and faulty readings. Readings come by HTTP; windows, a detector that
// learns each device's normal, an hourly history that outlives the readings.
import {
  alert,
  between,
  checks,
  dashboard,
  embedded,
  files,
  grant,
  http,
  keyed,
  line,
  model,
  number,
  processor,
  project,
  role,
  secret,
  sql,
  stream,
  t,
  table,
  webhook,
} from 'millrace'

export const devices = table(
  'devices',
  { id: t.string(), building: t.string(), room: t.string(), low: t.double().unit('degC'), high: t.double().unit('degC') },
  {
    key: 'id',
    load: 'full',
    from: files({ path: 'data/devices.csv', format: 'csv' }),
    doc: 'Where each device hangs, and what is normal there',
  },
)

export const readings = stream(
  'readings',
  {
    id: t.uuid(),
    device: devices.id,
    temperature: t.double().unit('degC'),
    humidity: t.double().optional().unit('%'),
    seen: t.timestamp(),
  },
  {
    from: http(),
    key: 'device',
    partitions: 4,
    time: 'seen',
    lateness: '1 hour',
    maxSkew: '1 minute',
    dedupe: { by: 'id', within: '6 hours' },
    partition: ['day(seen)'],
    cluster: ['device'],
    keep: { log: '2 days', table: '30 days' },
  },
)

export const anomalies = processor(
  'anomalies',
  { reading: readings.id, device: readings.device, temperature: readings.temperature, score: t.double(), seen: t.timestamp() },
  {
    doc: 'Readings more than four deviations from what the device has shown so far',
    from: readings,
    key: 'device',
    time: 'seen',
    state: { normal: keyed.moments() },
    on(reading, { normal }, { emit }) {
      const score = normal.score(reading.temperature)
      if (normal.count >= 30 && Math.abs(score) > 4)
        emit({ reading: reading.id, device: reading.device, temperature: reading.temperature, score, seen: reading.seen })
      else normal.add(reading.temperature)
    },
  },
)

export const perMinute = model(
  'per_minute',
  sql`
  SELECT device, window_start, count(*) AS readings, avg(temperature) AS temperature, max(temperature) AS hottest
  FROM tumble(${readings}, ${readings.seen}, INTERVAL 1 MINUTE)
  GROUP BY ALL`,
  { fresh: 'live', emit: 'final' },
)

/** The readings are kept for 30 days; their hours for ever. */
export const hourly = model(
  'hourly',
  sql`
  SELECT CAST(r.seen AS DATE) AS day, date_trunc('hour', r.seen) AS hour, d.building, r.device,
    count(*) AS readings, min(r.temperature) AS coldest, avg(r.temperature) AS temperature, max(r.temperature) AS hottest,
    count(*) FILTER (r.temperature NOT BETWEEN d.low AND d.high) AS outside
  FROM ${readings} AS r JOIN ${devices} AS d ON d.id = r.device
  GROUP BY ALL`,
  { refresh: 'incremental', by: 'day', key: ['hour', 'device'], lookback: '3 days', onChange: 'keep', partition: ['month(day)'] },
)

export const soundReadings = checks(
  'sound_readings',
  [between(readings.temperature, -60, 90).quarantine(), between(readings.humidity, 0, 100)],
  {
    on: readings,
  },
)

export const operator = role('operator')
export const operatorsRead = grant('operators_read', { to: [operator], on: ['*'] })

export const strange = alert('strange', { when: anomalies, to: [webhook(secret('SENSORS_ALERT_URL'))] })

export const board = dashboard(
  'climate',
  [
    number(
      'Devices that reported, latest day',
      sql`SELECT count(DISTINCT device) AS devices FROM ${hourly} WHERE day = (SELECT max(day) FROM ${hourly})`,
    ),
    line(
      'Temperature by building, latest day',
      sql`SELECT hour, building, avg(temperature) AS temperature FROM ${hourly} WHERE day = (SELECT max(day) FROM ${hourly}) GROUP BY ALL ORDER BY hour`,
      { x: 'hour', y: 'temperature', by: 'building', unit: 'degC', span: 9 },
    ),
  ],
  { allow: [operator] },
)

export default project(
  'sensors',
  [devices, readings, anomalies, perMinute, hourly, soundReadings, operator, operatorsRead, strange, board],
  { environments: { dev: embedded() } },
)
