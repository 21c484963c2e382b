"""What the sample is put together from: companies, plans, currencies and products."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.replace("_", " ") for word in text.split())


FIRST_NAMES = _words(
    """
    Aurora Northwind Blue_Harbour Cedar Granite Silverline Meridian Juniper Redwood Lakeside
    Summit Ironbridge Falcon Copper Willow Stonegate Horizon Maple Beacon Vanguard Polaris
    Oakfield Crescent Atlas Evergreen Marlow Kestrel Ashford Pinnacle Sterling Brightwater
    Cobalt Hawthorn Linden Orion Ridgeway Sycamore Tidewater Umber Vesper Westbrook Alder
    Birchwood Castell Delmare Eastgate Fjord Glenmore Halcyon Inverness Jasper Kingsley Larkspur
    Montclair Nordic Osprey Pembroke Quartz Rosewood Sakura Tamarind Ultramar Valencia
    Winterbourne Yarrow Zenith Amber Bellweather Clearwater Dunmore Edelweiss Fairview Goldcrest
    Heron Ivory Jade Keystone Lumen Magnolia Nova Opal Prairie Quill Riverbend Sequoia Thornbury
    Upland Vega Whitmore Xylo Yellowstone Zephyr Albion Baltic Carmine Drake
    """
)
TRADES = _words(
    """
    Optics Logistics Foods Robotics Textiles Analytics Energy Media Pharma Ceramics Software
    Motors Travel Insurance Telecom Furniture Publishing Instruments Mining Paper Plastics
    Semiconductors Shipping Security Staffing Studios Surveying Systems Tools Trading Veterinary
    Ventures Water Wines Bakery Biotech Brewing Broadcasting Cabling Catering Chemicals Cycling
    Dairy Dental Design Diagnostics Engineering Fabrics Farms Fashion Films Fisheries Flooring
    Forestry Freight Games Glass Health Heating Hotels Interiors Irrigation Kitchens
    Laboratories
    """
)
LEGAL_FORMS = ("Ltd", "GmbH", "Inc", "AG", "KK", "LLC", "AB", "plc", "SA", "BV", "Oy", "Group")
CITIES = _words(
    """
    London Berlin Boston Zurich Osaka Austin Stockholm Leeds Lyon Utrecht Turku Chicago Munich
    Denver Basel Kyoto Seattle Malmo Bristol Nantes Rotterdam Tampere Atlanta Hamburg Geneva
    Nagoya Dallas Uppsala Cardiff Toulouse Eindhoven Oulu Portland Cologne Lausanne Sapporo
    Phoenix Lund Glasgow Bordeaux Haarlem Espoo Houston Dresden Bern Fukuoka Tampa Visby
    """
)

PLANS = ("starter", "team", "business", "enterprise")
# Shares in 1,024 of each plan, for the 50 largest accounts, the next 950 and all others.
PLAN_SHARES = ((0, 64, 320, 640), (96, 352, 416, 160), (464, 368, 160, 32))

# The last one has no decimals: its cents are whole yen.
CURRENCIES = ("USD", "EUR", "GBP", "CHF", "SEK", "JPY")
CURRENCY_SHARES = (380, 300, 144, 60, 60, 80)
# What one hundred US cents cost, in the currency's own minor units.
CENTS_PER_DOLLAR = (100, 92, 79, 88, 1_050, 150)

# Quantities that a plan's lines have, equally likely: many small ones and a few large.
QUANTITIES = (
    (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 3, 5, 10),
    (1, 1, 1, 2, 2, 3, 3, 4, 5, 5, 6, 8, 10, 12, 15, 25),
    (1, 1, 2, 3, 5, 5, 8, 10, 10, 12, 15, 20, 25, 30, 50, 100),
    (1, 2, 5, 10, 12, 20, 25, 30, 40, 50, 60, 80, 100, 150, 250, 1_000),
)

# Name, price of one in US cents, share in 1,024 of the lines. The plans' seats come first, in the
# order of PLANS: an invoice usually begins with its account's own.
PRODUCTS = (
    ("Starter plan, seat a month", 9_00, 40),
    ("Team plan, seat a month", 19_00, 60),
    ("Business plan, seat a month", 39_00, 60),
    ("Enterprise plan, seat a month", 79_00, 40),
    ("API calls, ten thousand", 4_50, 130),
    ("Storage, 100 GB a month", 2_30, 110),
    ("Data transfer, 1 TB", 21_00, 80),
    ("Support hour, standard", 95_00, 74),
    ("Support hour, out of hours", 145_00, 30),
    ("Single sign-on, a month", 12_00, 60),
    ("Audit log, 12 months kept", 18_00, 40),
    ("Sandbox environment", 49_00, 50),
    ("Dedicated worker, a month", 240_00, 40),
    ("Backup, daily, 30 days kept", 15_00, 50),
    ("Onboarding workshop, half a day", 690_00, 20),
    ("Training seat, online", 120_00, 30),
    ("Report designer licence", 29_00, 30),
    ("Webhook endpoint, a month", 3_75, 30),
    ("SMS notices, a thousand", 42_00, 26),
    ("Data import, assisted", 350_00, 12),
    ("Custom domain, a year", 24_00, 12),
)
