"""Game families: name, factory and summary of each. A factory's signature is its schema."""

from rivalry.economies.city import city as city
from rivalry.economies.karma import karma as karma
from rivalry.families.auction import auction as auction
from rivalry.families.continuous import continuous as continuous
from rivalry.families.influencer.factory import influencer as influencer
from rivalry.families.lq import lq as lq
from rivalry.families.market import market as market
from rivalry.families.matrix import matrix as matrix
from rivalry.families.precipice import precipice as precipice
from rivalry.families.race.factory import race as race
from rivalry.roads.bottleneck import bottleneck as bottleneck
from rivalry.roads.factory import routes as routes
from rivalry.schema.register import FamilyEntry

GAMES: dict[str, FamilyEntry]
