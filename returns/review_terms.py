"""How long people have: the one place for the review desk's deadlines. A policy may set them."""

from datetime import timedelta

#: A person decides within this time of a line's coming to the desk.
REVIEW_WITHIN = timedelta(hours=48)

#: A denial may be appealed against so long.
APPEAL_WITHIN = timedelta(days=30)

#: A question is to be answered within this time, unless the asker says otherwise.
ANSWER_WITHIN = timedelta(days=7)
