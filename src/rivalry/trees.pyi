"""Write games in extensive form: nodes, and the game of rules that lead from one to the next."""

from rivalry.families.extensive import Chance as Chance
from rivalry.families.extensive import Decision as Decision
from rivalry.families.extensive import Extensive as Extensive
