"""The front page of the admin."""


def front_page(request, context):
    return context
