import keras


def save(model, path):
    keras.models.save_model(model, path)


def trainer(model, path):
    model.save_model(path)
