// The warehouse: a star schema over the order lines (dimensions, one fact, sums by day), live figures over the clicks, and
// views that answer questions. Dirt is conformed here and nowhere else.
import { model, sql } from 'millrace'
import { suspects } from './processors.ts'
import { clicks, fraudLabels } from './streams.ts'
import { clothing, countries, countryNames, exchangeRates, orderLines, products } from './tables.ts'

// Dimensions

/** The gift catalogue has no categories: they are read from the description; the first rule that fits decides. Codes are
 *  unique within a shop only: C2 is carriage in one and a blouse in the other. */
export const dimProduct = model(
  'dim_product',
  sql`
  SELECT code, 'gifts' AS assortment, coalesce(trim(description), code) AS name,
    CASE
      WHEN code LIKE 'gift%' THEN 'voucher'
      WHEN NOT regexp_matches(code, '^([0-9]{5}|DCGS)') THEN 'service'
      WHEN regexp_matches(description, 'CHRISTMAS|XMAS|ADVENT|SANTA|REINDEER|SNOW') THEN 'christmas'
      WHEN regexp_matches(description, 'BAG|PURSE|SUITCASE|BACKPACK|WALLET') THEN 'bags'
      WHEN regexp_matches(description, 'CANDLE|LIGHT|LAMP|LANTERN|T-LIGHT|CHANDELIER') THEN 'lights'
      WHEN regexp_matches(description, 'MUG|CUP|TEA|PLATE|BOWL|CAKE|LUNCH|JAM|BOTTLE|KITCHEN|APRON|COFFEE|SPOON|BAKING|TRAY|GLASS') THEN 'kitchen'
      WHEN regexp_matches(description, 'CARD|WRAP|PAPER|NOTEBOOK|PEN|STICKER|RIBBON|TAPE|BOOK|CHALK') THEN 'stationery'
      WHEN regexp_matches(description, 'TOY|GAME|DOLL|PARTY|BUNTING|BALLOON|PUZZLE|CHILD|KIDS|BABY|PLAYHOUSE|SPACEBOY') THEN 'toys'
      WHEN regexp_matches(description, 'NECKLACE|BRACELET|EARRING|RING|JEWEL|BROOCH|SCARF|GLOVE|UMBRELLA|HAIR') THEN 'accessories'
      WHEN regexp_matches(description, 'GARDEN|PLANT|FLOWER|HERB|WATERING|BIRD') THEN 'garden'
      ELSE 'home'
    END AS category,
    CAST(median_price AS DECIMAL(12, 3)) AS price, 'GBP' AS currency
  FROM ${products}
  UNION ALL
  SELECT code, 'clothing', 'model ' || code || ', ' || colour, category, CAST(price_usd AS DECIMAL(12, 3)), 'USD'
  FROM ${clothing}`,
  { refresh: 'full', key: ['assortment', 'code'], owner: 'shop-team', doc: 'Products of both shops, with categories' },
)

export const dimCountry = model(
  'dim_country',
  sql`
  WITH spoken AS (SELECT code, string_agg(name, ', ' ORDER BY name) AS names FROM ${countryNames} GROUP BY code)
  SELECT c.code, c.name, c.region, c.subregion, c.currency, s.names AS shop_names
  FROM ${countries} AS c LEFT JOIN spoken AS s ON s.code = c.code
  UNION ALL
  SELECT code, 'Unknown', NULL, NULL, NULL, names FROM spoken WHERE code = 'ZZ'`,
  { refresh: 'full', key: 'code', owner: 'data-team', doc: 'Countries, with the names that the shop system uses for them' },
)

export const dimDate = model(
  'dim_date',
  sql`
  SELECT CAST(day AS DATE) AS day, year(day) AS year, quarter(day) AS quarter, month(day) AS month, weekofyear(day) AS week,
    isodow(day) AS weekday, dayname(day) AS weekday_name, isodow(day) <> 6 AS is_trading_day
  FROM range(TIMESTAMP '2008-01-01', TIMESTAMP '2036-01-01', INTERVAL 1 DAY) AS days(day)`,
  { refresh: 'full', key: 'day', owner: 'data-team', doc: 'Days; the shop does not trade on Saturdays' },
)

export const dimCustomer = model(
  'dim_customer',
  sql`
  WITH last_day AS (SELECT max(placed) AS day FROM ${orderLines})
  SELECT o.customer,
    mode(coalesce(c.name, 'Unknown')) AS country,
    CAST(min(o.placed) AS DATE) AS first_order,
    CAST(max(o.placed) AS DATE) AS last_order,
    count(DISTINCT o.invoice) FILTER (NOT o.cancelled) AS orders,
    CAST(sum(o.amount) AS DECIMAL(18, 2)) AS revenue,
    CAST(coalesce(-sum(o.amount) FILTER (o.cancelled), 0) AS DECIMAL(18, 2)) AS returned,
    CASE
      WHEN max(o.placed) < any_value(l.day) - INTERVAL 180 DAY THEN 'lost'
      WHEN count(DISTINCT o.invoice) FILTER (NOT o.cancelled) >= 10 THEN 'loyal'
      WHEN min(o.placed) >= any_value(l.day) - INTERVAL 60 DAY THEN 'new'
      ELSE 'regular'
    END AS segment
  FROM ${orderLines} AS o CROSS JOIN last_day AS l LEFT JOIN ${countryNames} AS n ON n.name = o.country
    LEFT JOIN ${countries} AS c ON c.code = n.code
  WHERE o.customer IS NOT NULL
  GROUP BY o.customer`,
  { refresh: 'full', key: 'customer', owner: 'shop-team', doc: 'One row a customer, summed up from the orders' },
)

// Facts

export const factSales = model(
  'fact_sales',
  sql`
  SELECT CAST(o.placed AS DATE) AS day, o.id, o.invoice, o.line, o.product, o.customer, coalesce(c.name, 'Unknown') AS country,
    o.quantity, o.unit_price, o.amount, o.cancelled, o.cancelled OR o.quantity < 0 AS is_return, o.placed
  FROM ${orderLines} AS o LEFT JOIN ${countryNames} AS n ON n.name = o.country LEFT JOIN ${countries} AS c ON c.code = n.code`,
  {
    refresh: 'incremental',
    by: 'day',
    key: 'id',
    onChange: 'recompute',
    partition: ['month(day)'],
    cluster: ['day'],
    owner: 'shop-team',
    doc: 'One row a line of an order, with conformed country',
  },
)

export const dailyRevenue = model(
  'daily_revenue',
  sql`
  SELECT f.day, f.country,
    count(DISTINCT f.invoice) FILTER (NOT f.cancelled) AS orders,
    count(*) AS lines,
    CAST(sum(f.amount) AS DECIMAL(18, 2)) AS revenue,
    CAST(coalesce(sum(f.amount) FILTER (p.category <> 'service'), 0) AS DECIMAL(18, 2)) AS goods,
    CAST(coalesce(sum(f.amount) FILTER (p.category = 'service'), 0) AS DECIMAL(18, 2)) AS services,
    CAST(coalesce(-sum(f.amount) FILTER (f.is_return), 0) AS DECIMAL(18, 2)) AS returned
  FROM ${factSales} AS f LEFT JOIN ${dimProduct} AS p ON p.assortment = 'gifts' AND p.code = f.product
  GROUP BY f.day, f.country`,
  {
    refresh: 'incremental',
    by: 'day',
    key: ['day', 'country'],
    onChange: 'recompute',
    fresh: '10 minutes',
    owner: 'shop-team',
    doc: 'Revenue by day and country in GBP: goods and services (postage, fees, corrections) apart',
  },
)

export const monthlyRevenue = model(
  'monthly_revenue',
  sql`
  WITH by_month AS (SELECT CAST(date_trunc('month', day) AS DATE) AS month, sum(revenue) AS gbp FROM ${dailyRevenue} GROUP BY ALL),
    pound AS (SELECT month, rate FROM ${exchangeRates} WHERE country = 'United Kingdom'),
    euro AS (SELECT month, rate FROM ${exchangeRates} WHERE country = 'Euro')
  SELECT m.month, CAST(m.gbp AS DECIMAL(18, 2)) AS gbp,
    CAST(round(m.gbp / pound.rate, 2) AS DECIMAL(18, 2)) AS usd,
    CAST(round(m.gbp / pound.rate * euro.rate, 2) AS DECIMAL(18, 2)) AS eur,
    pound.month AS rate_of
  FROM by_month AS m ASOF LEFT JOIN pound ON m.month >= pound.month ASOF LEFT JOIN euro ON m.month >= euro.month`,
  { refresh: 'full', key: 'month', owner: 'shop-team', doc: 'Revenue by month in three currencies, at the last rate known for the month' },
)

// Live

export const viewsPerMinute = model(
  'views_per_minute',
  sql`
  SELECT category, window_start, count(*) AS views
  FROM tumble(${clicks}, ${clicks.seen}, INTERVAL 1 MINUTE)
  GROUP BY ALL`,
  { fresh: 'live', emit: 'changes', owner: 'web-team', doc: 'Product views by minute and category, as they come' },
)

// Answers

export const topProducts = model(
  'top_products',
  sql`
  SELECT f.product, p.name, p.category, count(DISTINCT f.invoice) AS orders, CAST(sum(f.quantity) AS BIGINT) AS quantity,
    CAST(sum(f.amount) AS DECIMAL(18, 2)) AS revenue
  FROM ${factSales} AS f JOIN ${dimProduct} AS p ON p.assortment = 'gifts' AND p.code = f.product
  WHERE f.day > (SELECT max(day) FROM ${factSales}) - 30 AND p.category <> 'service'
  GROUP BY f.product, p.name, p.category`,
  { refresh: 'view', key: 'product', owner: 'shop-team', doc: 'Goods sold in the last 30 days of the data' },
)

/** The link between the two shops' data is generated by the replay: the figure shows the query, not a finding. */
export const conversion = model(
  'conversion',
  sql`
  WITH visits AS (
      SELECT session, CAST(min(seen) AS DATE) AS day, max(customer) AS customer, count(*) AS views FROM ${clicks} GROUP BY session),
    buyers AS (SELECT DISTINCT day, customer FROM ${factSales} WHERE customer IS NOT NULL AND NOT cancelled)
  SELECT v.day, count(*) AS sessions, round(avg(v.views), 2) AS views_a_session,
    count(v.customer) AS signed_in, count(b.customer) AS bought,
    round(count(b.customer) / nullif(count(v.customer), 0), 4) AS rate
  FROM visits AS v LEFT JOIN buyers AS b ON b.day = v.day AND b.customer = v.customer
  GROUP BY v.day`,
  {
    refresh: 'view',
    key: 'day',
    owner: 'web-team',
    doc: 'Sessions a day, and how many of the visitors who are signed in bought on that day',
  },
)

export const fraudQuality = model(
  'fraud_quality',
  sql`
  WITH flagged AS (SELECT DISTINCT payment FROM ${suspects}),
    by_case AS (
      SELECT l.fraud_case, bool_or(f.payment IS NOT NULL) AS is_caught
      FROM ${fraudLabels} AS l LEFT JOIN flagged AS f ON f.payment = l.payment GROUP BY l.fraud_case),
    by_flag AS (
      SELECT f.payment, l.payment IS NOT NULL AS is_fraud FROM flagged AS f LEFT JOIN ${fraudLabels} AS l ON l.payment = f.payment)
  SELECT c.cases, c.caught, round(c.caught / nullif(c.cases, 0), 4) AS recall,
    b.flagged, b.hits, round(b.hits / nullif(b.flagged, 0), 4) AS precision
  FROM (SELECT count(*) AS cases, count(*) FILTER (is_caught) AS caught FROM by_case) AS c
    CROSS JOIN (SELECT count(*) AS flagged, count(*) FILTER (is_fraud) AS hits FROM by_flag) AS b`,
  {
    refresh: 'view',
    owner: 'payments-team',
    doc: 'How well suspects finds the generated fraud: share of cases with a suspect (recall), share of suspects that are fraud (precision)',
  },
)
